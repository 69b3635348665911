{{/* Settings of the injector, name to text. */}}
{{- define "dapr_sidecar_injector.env" -}}
SIDECAR_IMAGE: {{ include "dapr.image" (dict "root" $ "name" .Values.image.name) | quote }}
SIDECAR_IMAGE_PULL_POLICY: {{ .Values.sidecarImagePullPolicy | quote }}
SIDECAR_RUN_AS_NON_ROOT: {{ .Values.sidecarRunAsNonRoot | quote }}
{{- if not (kindIs "invalid" .Values.sidecarRunAsUser) }}
SIDECAR_RUN_AS_USER: {{ .Values.sidecarRunAsUser | int64 | quote }}
{{- end }}
{{- if not (kindIs "invalid" .Values.sidecarRunAsGroup) }}
SIDECAR_RUN_AS_GROUP: {{ .Values.sidecarRunAsGroup | int64 | quote }}
{{- end }}
SIDECAR_READ_ONLY_ROOT_FILESYSTEM: {{ .Values.sidecarReadOnlyRootFilesystem | quote }}
SIDECAR_DROP_ALL_CAPABILITIES: {{ .Values.sidecarDropALLCapabilities | quote }}
ENABLE_K8S_DOWNWARD_APIS: {{ .Values.enableK8sDownwardAPIs | quote }}
NATIVE_SIDECAR_ENABLED: {{ .Values.nativeSidecar | quote }}
{{- with .Values.kubeClusterDomain }}
KUBE_CLUSTER_DOMAIN: {{ . | quote }}
{{- end }}
{{- with .Values.allowedServiceAccounts }}
ALLOWED_SERVICE_ACCOUNTS: {{ . | quote }}
{{- end }}
{{- with .Values.allowedServiceAccountsPrefixNames }}
ALLOWED_SERVICE_ACCOUNTS_PREFIX_NAMES: {{ . | quote }}
{{- end }}
{{- with .Values.ignoreEntrypointTolerations }}
{{- /* Text written for Dapr's chart has a backslash before each quotation mark. */}}
IGNORE_ENTRYPOINT_TOLERATIONS: {{ ternary (toString . | replace "\\\"" "\"") (toJson .) (kindIs "string" .) | quote }}
{{- end }}
ACTORS_ENABLED: {{ .Values.global.actors.enabled | quote }}
DAPR_TRUST_ANCHORS_FILE: /var/run/secrets/dapr.io/tls/ca.crt
DAPR_CONTROL_PLANE_TRUST_DOMAIN: {{ .Values.global.mtls.controlPlaneTrustDomain | quote }}
DAPR_SENTRY_ADDRESS: {{ include "dapr.sentryAddress" . | quote }}
{{- end }}

{{/* Users that contradict the rule about root; the texts are those of Dapr's chart. */}}
{{- define "dapr_sidecar_injector.check" -}}
{{- if not (kindIs "invalid" .Values.sidecarRunAsUser) }}
{{- $user := int64 .Values.sidecarRunAsUser }}
{{- if and (not .Values.sidecarRunAsNonRoot) (ne $user 0) }}
{{- fail "sidecarRunAsUser must be 0 or value ommited when sidecarRunAsNonRoot is false" }}
{{- end }}
{{- if and .Values.sidecarRunAsNonRoot (le $user 0) }}
{{- fail "sidecarRunAsUser must positive when sidecarRunAsNonRoot is true (or default)" }}
{{- end }}
{{- end }}
{{- end }}
