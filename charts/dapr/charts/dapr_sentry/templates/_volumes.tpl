{{/* In a cluster sentry reads its files from the API server: a lost Secret must not keep it from starting. */}}
{{- define "dapr_sentry.volumeMounts" -}}
{{- $mounts := .Values.global.extraVolumeMounts.sentry | default list -}}
{{- if eq .Values.mode "standalone" -}}
{{- $mounts = prepend $mounts (dict "name" "credentials" "mountPath" "/var/run/secrets/dapr.io/credentials" "readOnly" true) -}}
{{- end -}}
{{- if $mounts }}{{ toYaml $mounts }}{{ end -}}
{{- end }}

{{- define "dapr_sentry.volumes" -}}
{{- $volumes := .Values.global.extraVolumes.sentry | default list -}}
{{- if eq .Values.mode "standalone" -}}
{{- $volumes = prepend $volumes (dict "name" "credentials" "secret" (dict "secretName" "dapr-trust-bundle")) -}}
{{- end -}}
{{- if $volumes }}{{ toYaml $volumes }}{{ end -}}
{{- end }}
