{{/* The release's name, cut so that "-coordinator" still fits a Job's 63 characters; a digest keeps cut names apart. */}}
{{- define "sam2vlm.fullname" -}}
{{- if gt (len .Release.Name) 50 -}}
{{- printf "%s-%s" (.Release.Name | trunc 41 | trimSuffix "-") (.Release.Name | sha256sum | trunc 8) -}}
{{- else -}}
{{- .Release.Name -}}
{{- end -}}
{{- end }}

{{/* The four phases, in the order in which they run. */}}
{{- define "sam2vlm.phases" -}}
prepare train evaluate export
{{- end }}

{{- define "sam2vlm.experiment" -}}
{{- .Values.experiment | default .Release.Name -}}
{{- end }}

{{/* The run's folder, relative to the volume's root. */}}
{{- define "sam2vlm.run" -}}
{{- .Values.run | default (printf "runs/%s" (include "sam2vlm.experiment" .)) -}}
{{- end }}

{{/* The export's path, relative to the volume's root. */}}
{{- define "sam2vlm.exportPath" -}}
{{- if .Values.export.upload.enabled -}}
{{- printf "exports/%s/%s" (.Values.export.upload.sha256 | trunc 16) .Values.export.upload.name -}}
{{- else -}}
{{- .Values.export.path -}}
{{- end -}}
{{- end }}

{{- define "sam2vlm.claim" -}}
{{- .Values.volume.existingClaim | default (include "sam2vlm.fullname" .) -}}
{{- end }}

{{/* What finds the objects of this release again. */}}
{{- define "sam2vlm.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of objects. Those of pods leave the versions out: a pod template cannot change with the chart. */}}
{{- define "sam2vlm.labels" -}}
{{ include "sam2vlm.selector" . }}
app.kubernetes.io/part-of: {{ .Chart.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
sam2vlm/experiment: {{ include "sam2vlm.experiment" . | quote }}
{{- end }}

{{/* An image's full name: (dict "root" $ "image" .Values.images.cpu) */}}
{{- define "sam2vlm.image" -}}
{{- if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end }}
