{{/*
When a Job gives up. Evictions and drains do not count; bad data (65) and bad settings (78) end it at once,
because no retry helps; everything else counts against the backoffLimit. Exit code 137 is not read: running out
of memory and being evicted look alike. Of several nodes that stop together only the one counts that the cause lies
with: the others end with 68. (dict "nodes" 2)
*/}}
{{- define "sam2vlm.podFailurePolicy" -}}
podReplacementPolicy: Failed
podFailurePolicy:
  rules:
    - action: Ignore
      onPodConditions:
        - {type: DisruptionTarget, status: "True"}
    - action: FailJob
      onExitCodes:
        operator: In
        values: [65, 78]
    {{- if gt (int .nodes) 1 }}
    - action: Ignore
      onExitCodes:
        operator: In
        values: [68]
    {{- end }}
    - action: Count
      onExitCodes:
        operator: NotIn
        values: [65, 78]
{{- end }}

{{/* What makes a Job's pods one training: a number for each, and a name by which they find number 0. */}}
{{- define "sam2vlm.indexed" -}}
completionMode: Indexed
completions: {{ . }}
parallelism: {{ . }}
{{- end }}

{{- define "sam2vlm.rendezvousPort" -}}
{{- dig "rendezvous" "port" 29400 .Values.settings | int -}}
{{- end }}

{{/* Where the pods of a training on several nodes find each other; torchrun takes the port after the first. */}}
{{- define "sam2vlm.nodesEnvironment" -}}
{{- $name := printf "%s-train" (include "sam2vlm.fullname" .) }}
- {name: SAM2VLM_DEVICES__NODES, value: {{ .Values.phases.train.nodes | quote }}}
- {name: SAM2VLM_RENDEZVOUS__HOST, value: {{ printf "%s-0.%s" $name $name | quote }}}
{{- end }}

{{/* Environment of a phase beyond the ConfigMap: (dict "root" $ "phase" "train" "own" .Values.phases.train) */}}
{{- define "sam2vlm.phaseEnvironment" -}}
{{- $hub := .root.Values.huggingface }}
{{- $downloads := and $hub.download (eq .phase "prepare") }}
{{ include "sam2vlm.places" .root }}
- {name: HF_HUB_CACHE, value: {{ printf "%s/%s/hub" .root.Values.volume.mountPath $hub.cache | quote }}}
- {name: HF_HUB_OFFLINE, value: {{ ternary "0" "1" $downloads | quote }}}
{{- if and $downloads $hub.tokenSecret.name }}
- name: HF_TOKEN
  valueFrom:
    secretKeyRef: {name: {{ $hub.tokenSecret.name }}, key: {{ $hub.tokenSecret.key }}}
{{- end }}
{{- if gt (int .own.nodes) 1 }}
{{ include "sam2vlm.nodesEnvironment" .root }}
{{- end }}
{{- if eq .phase "train" }}
{{- include "sam2vlm.trackerEnvironment" .root.Values.trackers }}
{{- end }}
{{- with concat .root.Values.pod.extraEnv (.own.extraEnv | default list) }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Addresses and keys of trackers, each from its Secret where one is named: .Values.trackers */}}
{{- define "sam2vlm.trackerEnvironment" -}}
{{- range $variable, $secret := include "sam2vlm.trackerSecrets" . | fromYaml }}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef: {name: {{ $secret.name }}, key: {{ $secret.key }}}
{{- end }}
{{- end }}

{{/* The Secrets that are named, by variable; as YAML, because a template returns text. */}}
{{- define "sam2vlm.trackerSecrets" -}}
{{- $named := dict }}
{{- $all := dict "MLFLOW_TRACKING_URI" .mlflow.trackingUriSecret "MLFLOW_TRACKING_TOKEN" .mlflow.tokenSecret "WANDB_API_KEY" .wandb.apiKeySecret }}
{{- range $variable, $secret := $all }}
{{- if $secret.name }}
{{- $_ := set $named $variable $secret }}
{{- end }}
{{- end }}
{{- toYaml $named }}
{{- end }}

{{/* The container that waits for the export to be streamed in; it holds prepare's resources only, never a GPU's. */}}
{{- define "sam2vlm.receive" -}}
- name: receive
  image: {{ include "sam2vlm.image" (dict "root" . "image" .Values.images.cpu) }}
  imagePullPolicy: {{ .Values.images.cpu.pullPolicy }}
  command: [python, -m, jobs.receive, wait]
  args:
    - --target={{ .Values.volume.mountPath }}/{{ include "sam2vlm.exportPath" . }}
    - --sha256={{ .Values.export.upload.sha256 }}
    - --timeout={{ .Values.export.upload.timeoutSeconds }}
  env:
    {{- include "sam2vlm.places" . | nindent 4 }}
  terminationMessagePolicy: FallbackToLogsOnError
  resources:
    requests: {cpu: 50m, memory: 64Mi}
    limits: {memory: 256Mi}
  securityContext:
    {{- include "sam2vlm.containerSecurity" . | nindent 4 }}
  volumeMounts:
    - {name: run, mountPath: {{ .Values.volume.mountPath }}}
    - {name: scratch, mountPath: /tmp}
{{- end }}

{{/* A phase's Job without what changes while it lives (suspend): (dict "root" $ "phase" "train") */}}
{{- define "sam2vlm.jobSpec" -}}
{{- $root := .root }}
{{- $own := index $root.Values.phases .phase }}
{{- $nodes := int ($own.nodes | default 1) }}
{{- $image := ternary $root.Values.images.gpu $root.Values.images.cpu (gt (int $own.gpu.count) 0) }}
backoffLimit: {{ $own.backoffLimit }}
{{- with $own.activeDeadlineSeconds }}
activeDeadlineSeconds: {{ . }}
{{- end }}
{{- with $root.Values.ttlSecondsAfterFinished }}
ttlSecondsAfterFinished: {{ . }}
{{- end }}
{{- if gt $nodes 1 }}
{{ include "sam2vlm.indexed" $nodes }}
{{- end }}
{{ include "sam2vlm.podFailurePolicy" (dict "nodes" $nodes) }}
template:
  metadata:
    labels:
      {{- include "sam2vlm.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ .phase }}
      sam2vlm/experiment: {{ include "sam2vlm.experiment" $root | quote }}
      sam2vlm/phase: {{ .phase }}
      {{- with merge dict ($own.labels | default dict) $root.Values.pod.labels }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- with merge dict ($own.annotations | default dict) $root.Values.pod.annotations }}
    annotations:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  spec:
    restartPolicy: Never
    {{- if gt $nodes 1 }}
    subdomain: {{ include "sam2vlm.fullname" $root }}-{{ .phase }}
    {{- end }}
    {{- with $root.Values.pod.serviceAccountName }}
    serviceAccountName: {{ . }}
    {{- end }}
    automountServiceAccountToken: false
    # A Service named sam2vlm would otherwise put variables into the pods that read like settings.
    enableServiceLinks: false
    terminationGracePeriodSeconds: {{ $own.terminationGracePeriodSeconds }}
    securityContext:
      {{- include "sam2vlm.podSecurity" $root | nindent 6 }}
    {{- include "sam2vlm.placement" (dict "root" $root "own" $own) | nindent 4 }}
    {{- if and (eq .phase "prepare") $root.Values.export.upload.enabled }}
    initContainers:
      {{- include "sam2vlm.receive" $root | nindent 6 }}
    {{- end }}
    containers:
      - name: {{ .phase }}
        image: {{ include "sam2vlm.image" (dict "root" $root "image" $image) }}
        imagePullPolicy: {{ $image.pullPolicy }}
        command: [python, -m, jobs.{{ .phase }}]
        envFrom:
          - configMapRef: {name: {{ include "sam2vlm.fullname" $root }}-settings}
        env:
          {{- include "sam2vlm.phaseEnvironment" (dict "root" $root "phase" .phase "own" $own) | trim | nindent 10 }}
        terminationMessagePath: /dev/termination-log
        terminationMessagePolicy: FallbackToLogsOnError
        resources:
          {{- include "sam2vlm.resources" $own | nindent 10 }}
        securityContext:
          {{- include "sam2vlm.containerSecurity" $root | nindent 10 }}
        volumeMounts:
          - {name: run, mountPath: {{ $root.Values.volume.mountPath }}}
          - {name: scratch, mountPath: /tmp}
          - {name: cache, mountPath: /cache}
          - {name: shm, mountPath: /dev/shm}
          {{- with concat $root.Values.pod.extraVolumeMounts ($own.extraVolumeMounts | default list) }}
          {{- toYaml . | nindent 10 }}
          {{- end }}
    volumes:
      - name: run
        persistentVolumeClaim: {claimName: {{ include "sam2vlm.claim" $root }}}
      - name: scratch
        emptyDir: {sizeLimit: {{ $own.scratchSize }}}
      - name: cache
        emptyDir: {sizeLimit: {{ $own.scratchSize }}}
      - name: shm
        emptyDir: {medium: Memory, sizeLimit: {{ $own.shmSize }}}
      {{- with concat $root.Values.pod.extraVolumes ($own.extraVolumes | default list) }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
{{- end }}
