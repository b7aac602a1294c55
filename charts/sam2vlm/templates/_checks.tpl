{{/*
Digest of everything that the release's Jobs are made of. It stands on every Job, so that an upgrade can tell
whether it would have to change one.
*/}}
{{- define "sam2vlm.plan" -}}
{{- $root := . }}
{{- $parts := list (include "sam2vlm.settings" .) (include "sam2vlm.coordinatorSpec" .) (toJson .Values.queue) }}
{{- range splitList " " (include "sam2vlm.phases" .) }}
{{- $parts = append $parts (include "sam2vlm.jobSpec" (dict "root" $root "phase" .)) }}
{{- end }}
{{- $parts | toJson | sha256sum }}
{{- end }}

{{/* What the schema cannot say, each in one sentence. */}}
{{- define "sam2vlm.checks" -}}
{{- if and .Values.export.upload.enabled .Values.export.path }}
{{- fail "export: either path or upload.enabled, not both" }}
{{- end }}
{{- if not (or .Values.export.upload.enabled .Values.export.path) }}
{{- fail "export: nothing goes in; set export.path to an archive or folder on the volume, or export.upload.enabled with its sha256 (make train EXPORT=... does that)" }}
{{- end }}
{{- if and .Values.export.path (not .Values.volume.existingClaim) .Release.IsInstall (not (lookup "v1" "PersistentVolumeClaim" .Release.Namespace (include "sam2vlm.fullname" .))) (lookup "v1" "Namespace" "" .Release.Namespace) }}
{{- fail (printf "export.path: %s cannot be on a volume that this release would first make; set volume.existingClaim, or upload the export" .Values.export.path) }}
{{- end }}
{{- include "sam2vlm.nodesChecks" . }}
{{- $plan := include "sam2vlm.plan" . }}
{{- $name := include "sam2vlm.fullname" . }}
{{- if and (not .Release.IsInstall) (lookup "v1" "ConfigMap" .Release.Namespace (printf "%s-settings" $name)) }}
{{- range splitList " " (include "sam2vlm.phases" .) }}
{{- $live := lookup "batch/v1" "Job" $.Release.Namespace (printf "%s-%s" $name .) }}
{{- if not $live }}
{{- fail (printf "the Job %s-%s of this release is gone, and an upgrade would run it again; install another release (its run may be the same: finished phases are not repeated)" $name .) }}
{{- else if ne (dig "metadata" "annotations" "sam2vlm/plan" "" $live) $plan }}
{{- fail (printf "one release is one run, and these values would change its Jobs, which Kubernetes does not allow; install them as another release, or uninstall %s first (the volume stays)" $.Release.Name) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* What several nodes need. */}}
{{- define "sam2vlm.nodesChecks" -}}
{{- $nodes := int .Values.phases.train.nodes }}
{{- $devices := .Values.settings.devices | default dict }}
{{- if hasKey $devices "nodes" }}
{{- fail "settings.devices.nodes: the chart sets it; set phases.train.nodes, which also makes the pods" }}
{{- end }}
{{- if hasKey (.Values.settings.rendezvous | default dict) "host" }}
{{- fail "settings.rendezvous.host: the chart sets it to the name of the first pod; leave it out" }}
{{- end }}
{{- if gt $nodes 1 }}
{{- $modes := .Values.volume.accessModes }}
{{- with .Values.volume.existingClaim }}
{{- $claim := lookup "v1" "PersistentVolumeClaim" $.Release.Namespace . }}
{{- $modes = ternary (dig "spec" "accessModes" list $claim) (list "ReadWriteMany") (not (empty $claim)) }}
{{- end }}
{{- if not (has "ReadWriteMany" $modes) }}
{{- fail (printf "phases.train.nodes: %d pods write to one volume at the same time, which needs ReadWriteMany; %s" $nodes (ternary "volume.existingClaim names one without it" "set volume.accessModes={ReadWriteMany} and a volume.storageClass that has it" (not (empty .Values.volume.existingClaim)))) }}
{{- end }}
{{- if not (regexMatch "^[a-z]([a-z0-9-]*[a-z0-9])?$" (include "sam2vlm.fullname" .)) }}
{{- fail (printf "phases.train.nodes: several pods find each other by the release's name, which has to begin with a letter and hold letters, digits and dashes only; %s is none" .Release.Name) }}
{{- end }}
{{- end }}
{{- end }}
