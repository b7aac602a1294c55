{{/* Restricted Pod Security, for a pod. */}}
{{- define "sam2vlm.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.pod.runAsUser }}
runAsUser: {{ . }}
{{- end }}
{{- with .Values.pod.runAsGroup }}
runAsGroup: {{ . }}
{{- end }}
{{- with .Values.pod.fsGroup }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* Restricted Pod Security, for a container. */}}
{{- define "sam2vlm.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Everything that a library may want to write has a place in an emptyDir, since the root is read-only. */}}
{{- define "sam2vlm.places" -}}
- {name: HOME, value: /tmp}
- {name: TMPDIR, value: /tmp}
- {name: USER, value: sam2vlm}
- {name: XDG_CACHE_HOME, value: /cache}
- {name: HF_HOME, value: /cache/huggingface}
- {name: MPLCONFIGDIR, value: /cache/matplotlib}
- {name: TORCHINDUCTOR_CACHE_DIR, value: /cache/torchinductor}
- {name: TORCH_EXTENSIONS_DIR, value: /cache/torch_extensions}
- {name: TRITON_CACHE_DIR, value: /cache/triton}
- {name: SAM2VLM_TERMINATION_LOG, value: /dev/termination-log}
{{- end }}

{{/* Where pods of a kind may run: (dict "root" $ "own" .Values.phases.train); own may be empty. */}}
{{- define "sam2vlm.placement" -}}
{{- $pod := .root.Values.pod }}
{{- $own := .own | default dict }}
{{- with merge dict ($own.nodeSelector | default dict) $pod.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat $pod.tolerations ($own.tolerations | default list) }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.affinity | default $pod.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.priorityClassName | default $pod.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $own.runtimeClassName | default $pod.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .root.Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Requests and limits with the GPUs in them: a phase's values. */}}
{{- define "sam2vlm.resources" -}}
{{- $resources := deepCopy .resources }}
{{- if .gpu.count }}
{{- $gpus := dict .gpu.resource .gpu.count }}
{{- $_ := set $resources "limits" (merge $gpus ($resources.limits | default dict)) }}
{{- end }}
{{- toYaml $resources }}
{{- end }}
