{{/* Environment of `python -m jobs.coordinate`. */}}
{{- define "sam2vlm.coordinatorEnvironment" -}}
- {name: SAM2VLM_COORDINATE_RELEASE, value: {{ .Release.Name | quote }}}
- {name: SAM2VLM_COORDINATE_NAMESPACE, value: {{ .Release.Namespace | quote }}}
- {name: SAM2VLM_COORDINATE_RESYNC_SECONDS, value: {{ .Values.coordinator.resyncSeconds | quote }}}
{{ include "sam2vlm.places" . }}
{{- end }}

{{- define "sam2vlm.coordinatorSpec" -}}
backoffLimit: {{ .Values.coordinator.backoffLimit }}
{{- with .Values.ttlSecondsAfterFinished }}
ttlSecondsAfterFinished: {{ . }}
{{- end }}
podReplacementPolicy: Failed
# It ends with the failed phase's own exit code, which no retry changes. What can be its own trouble is tried
# again: 75 (it lost the API server, or met something unforeseen), 137 and 143 (it was killed).
podFailurePolicy:
  rules:
    - action: Ignore
      onPodConditions:
        - {type: DisruptionTarget, status: "True"}
    - action: FailJob
      onExitCodes:
        operator: NotIn
        values: [75, 137, 143]
template:
  metadata:
    labels:
      {{- include "sam2vlm.selector" . | nindent 6 }}
      app.kubernetes.io/component: coordinator
      sam2vlm/experiment: {{ include "sam2vlm.experiment" . | quote }}
      {{- with .Values.pod.labels }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- with .Values.pod.annotations }}
    annotations:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  spec:
    restartPolicy: Never
    serviceAccountName: {{ include "sam2vlm.fullname" . }}-coordinator
    automountServiceAccountToken: true
    enableServiceLinks: false
    terminationGracePeriodSeconds: 10
    securityContext:
      {{- include "sam2vlm.podSecurity" . | nindent 6 }}
    {{- include "sam2vlm.placement" (dict "root" .) | nindent 4 }}
    containers:
      - name: coordinator
        image: {{ include "sam2vlm.image" (dict "root" . "image" .Values.images.cpu) }}
        imagePullPolicy: {{ .Values.images.cpu.pullPolicy }}
        command: [python, -m, jobs.coordinate]
        env:
          {{- include "sam2vlm.coordinatorEnvironment" . | nindent 10 }}
        terminationMessagePath: /dev/termination-log
        terminationMessagePolicy: FallbackToLogsOnError
        resources:
          {{- toYaml .Values.coordinator.resources | nindent 10 }}
        securityContext:
          {{- include "sam2vlm.containerSecurity" . | nindent 10 }}
        volumeMounts:
          - {name: scratch, mountPath: /tmp}
    volumes:
      - name: scratch
        emptyDir: {sizeLimit: 64Mi}
{{- end }}
