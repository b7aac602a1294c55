{{/*
Nested settings as environment variables: (dict "prefix" "SAM2VLM_" "settings" .Values.settings)
Numbers go through toJson, because a plain number of a values file would come out as 1e+06.
*/}}
{{- define "sam2vlm.variables" -}}
{{- range $name, $value := .settings }}
{{- $variable := printf "%s%s" $.prefix (upper $name) }}
{{- if kindIs "map" $value }}
{{- include "sam2vlm.variables" (dict "prefix" (printf "%s__" $variable) "settings" $value) }}
{{- else if kindIs "string" $value }}
{{ $variable }}: {{ $value | quote }}
{{- else if not (kindIs "invalid" $value) }}
{{ $variable }}: {{ $value | toJson | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* The data of the ConfigMap that all phases read. */}}
{{- define "sam2vlm.settings" -}}
SAM2VLM_EXPERIMENT: {{ include "sam2vlm.experiment" . | quote }}
SAM2VLM_EXPORT: {{ printf "%s/%s" .Values.volume.mountPath (include "sam2vlm.exportPath" .) | quote }}
SAM2VLM_PRESET: {{ .Values.preset | quote }}
SAM2VLM_RUN: {{ printf "%s/%s" .Values.volume.mountPath (include "sam2vlm.run" .) | quote }}
{{- include "sam2vlm.variables" (dict "prefix" "SAM2VLM_" "settings" .Values.settings) }}
{{- end }}
