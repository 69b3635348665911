{{/*
Templates that several parts share. Each takes a dict: `root` is the context of the calling part, `app` the name of its
Deployment, `part` the key of its extra volumes and containers.
*/}}

{{/* Labels of an object; `app` is left out where it has none. */}}
{{- define "dapr.labels" -}}
{{- $labels := dict -}}
{{- with .app -}}{{- $_ := set $labels "app" . -}}{{- end -}}
{{- range $key, $value := .root.Values.global.k8sLabels -}}
{{- $_ := set $labels $key (tpl (toString $value) $.root) -}}
{{- end -}}
{{- toYaml $labels -}}
{{- end }}

{{/* A name with a slash is a whole image reference. */}}
{{- define "dapr.image" -}}
{{- if contains "/" .name -}}
{{ .name }}
{{- else -}}
{{ .root.Values.global.registry }}/{{ .name }}:{{ .root.Values.global.tag }}
{{- end -}}
{{- end }}

{{- define "dapr.replicas" -}}
{{- if .Values.global.ha.enabled }}{{ .Values.global.ha.replicaCount }}{{ else }}{{ .Values.replicaCount }}{{ end -}}
{{- end }}

{{/* A new pod is ready before an old one goes. */}}
{{- define "dapr.strategy" -}}
type: RollingUpdate
rollingUpdate:
  maxSurge: 1
  maxUnavailable: 0
{{- end }}

{{- define "dapr.prometheusAnnotations" -}}
{{- if .Values.global.prometheus.enabled -}}
prometheus.io/scrape: "true"
prometheus.io/port: {{ .Values.global.prometheus.port | quote }}
prometheus.io/path: "/"
{{- end -}}
{{- end }}

{{/* Labels and annotations of a pod. */}}
{{- define "dapr.podMetadata" -}}
labels:
  {{- include "dapr.labels" . | nindent 2 }}
  {{- with .root.Values.global.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  dapr.io/control-plane: {{ .part }}
  {{- with include "dapr.prometheusAnnotations" .root }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .root.Values.deploymentAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Annotations of a Service: prometheus and the user's; `annotations` are the latter. Nothing when there are none. */}}
{{- define "dapr.serviceAnnotations" -}}
{{- $metrics := include "dapr.prometheusAnnotations" .root | fromYaml -}}
{{- with merge (deepCopy (.annotations | default dict)) $metrics -}}
annotations:
  {{- range $key, $value := . }}
  {{ $key }}: {{ $value | toString | quote }}
  {{- end }}
{{- end -}}
{{- end }}

{{- define "dapr.metricsServicePort" -}}
{{- if .Values.global.prometheus.enabled -}}
- name: metrics
  port: {{ .Values.global.prometheus.port }}
  targetPort: {{ .Values.global.prometheus.port }}
  protocol: TCP
  appProtocol: http
{{- end -}}
{{- end }}

{{- define "dapr.metricsContainerPort" -}}
{{- if .Values.global.prometheus.enabled -}}
- name: metrics
  containerPort: {{ .Values.global.prometheus.port }}
  protocol: TCP
{{- end -}}
{{- end }}

{{- define "dapr.logArgs" -}}
- "--log-level"
- {{ .Values.logLevel | quote }}
{{- end }}

{{- define "dapr.metricsArgs" -}}
{{- if .Values.global.prometheus.enabled -}}
- "--enable-metrics"
- "--metrics-port"
- {{ .Values.global.prometheus.port | quote }}
{{- else -}}
- "--enable-metrics=false"
{{- end -}}
{{- end }}

{{/*
Probes of the health server; `port` is its port. Differs from Dapr: the liveness probe only connects. A program that waits
for the API server or for sentry is not ready, but a restart would take away what it still knows.
*/}}
{{- define "dapr.probes" -}}
livenessProbe:
  tcpSocket:
    port: {{ .port }}
  {{- include "dapr.probeTimes" .root.Values.livenessProbe | nindent 2 }}
readinessProbe:
  httpGet:
    path: /healthz
    port: {{ .port }}
  {{- include "dapr.probeTimes" .root.Values.readinessProbe | nindent 2 }}
{{- end }}

{{- define "dapr.probeTimes" -}}
initialDelaySeconds: {{ .initialDelaySeconds }}
periodSeconds: {{ .periodSeconds }}
failureThreshold: {{ .failureThreshold }}
{{- end }}

{{/* What the Pod Security Standard `restricted` asks for. `user` replaces a runAsNonRoot that is switched off. */}}
{{- define "dapr.securityContext" -}}
{{- if eq .root.Values.global.daprControlPlaneOs "linux" -}}
securityContext:
  {{- if or .root.Values.runAsNonRoot (not .user) }}
  runAsNonRoot: {{ .root.Values.runAsNonRoot }}
  {{- else }}
  runAsUser: {{ .user }}
  {{- end }}
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: ["ALL"]
  {{- with .root.Values.global.seccompProfile }}
  seccompProfile:
    type: {{ . }}
  {{- end }}
{{- end -}}
{{- end }}

{{/* The pod's namespace, then `settings`, then what the user adds. */}}
{{- define "dapr.env" -}}
- name: NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- range $name, $value := .settings }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- range $name, $value := .root.Values.extraEnvVars }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end }}

{{/* Trust anchors, and the token that sentry asks for. */}}
{{- define "dapr.identityMounts" -}}
- name: dapr-trust-bundle
  mountPath: /var/run/secrets/dapr.io/tls
  readOnly: true
{{- if .Values.global.mtls.mountSentryVolume }}
- name: dapr-identity-token
  mountPath: /var/run/secrets/dapr.io/sentrytoken
  readOnly: true
{{- end }}
{{- end }}

{{/* Under which name sentry keeps the trust anchors. */}}
{{- define "dapr.anchorsKey" -}}
{{- .Values.global.issuerFilenames.ca | default "ca.crt" | base -}}
{{- end }}

{{- define "dapr.identityVolumes" -}}
- name: dapr-trust-bundle
  configMap:
    name: dapr-trust-bundle
    # Naming the key holds the container back until sentry has written it, looked for every few hundred milliseconds at
    # first. Of a key that appears later the kubelet would tell a running container up to a minute late.
    items:
      - key: {{ include "dapr.anchorsKey" . }}
        path: ca.crt
{{- if .Values.global.mtls.mountSentryVolume }}
- name: dapr-identity-token
  projected:
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 600
          audience: spiffe://{{ .Values.global.mtls.controlPlaneTrustDomain }}/ns/{{ .Release.Namespace }}/dapr-sentry
{{- end }}
{{- end }}

{{- define "dapr.sentryAddress" -}}
{{- with .Values.global.mtls.sentryAddress -}}
{{ . }}
{{- else -}}
dapr-sentry.{{ .Release.Namespace }}.svc{{ .Values.global.dnsSuffix }}:443
{{- end -}}
{{- end }}

{{/* Where pods go, and what lets them be pulled there. */}}
{{- define "dapr.scheduling" -}}
{{- $global := .root.Values.global -}}
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - matchExpressions:
            - key: kubernetes.io/os
              operator: In
              values: [{{ $global.daprControlPlaneOs | quote }}]
            {{- with $global.daprControlPlaneArch }}
            - key: kubernetes.io/arch
              operator: In
              values: [{{ . | quote }}]
            {{- end }}
  {{- if $global.ha.enabled }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          labelSelector:
            matchExpressions:
              - key: app
                operator: In
                values: [{{ .app | quote }}]
          topologyKey: {{ $global.ha.topologyKey }}
  {{- end }}
{{- with $global.imagePullSecrets }}
imagePullSecrets:
  {{- range $secret := ternary (list .) . (kindIs "string" .) }}
  - name: {{ if kindIs "string" $secret }}{{ $secret }}{{ else }}{{ $secret.name }}{{ end }}
  {{- end }}
{{- end }}
{{- with $global.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $global.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $global.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/* A budget, with several replicas only; `name` is its own. */}}
{{- define "dapr.disruptionBudget" -}}
{{- with .root.Values.global.ha }}
{{- if .enabled -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $.name }}
  namespace: {{ $.root.Release.Namespace }}
  labels:
    {{- include "dapr.labels" $ | nindent 4 }}
spec:
  {{- if .disruption.minimumAvailable }}
  minAvailable: {{ .disruption.minimumAvailable }}
  {{- else }}
  maxUnavailable: {{ .disruption.maximumUnavailable }}
  {{- end }}
  selector:
    matchLabels:
      app: {{ $.app }}
{{- end }}
{{- end }}
{{- end }}
