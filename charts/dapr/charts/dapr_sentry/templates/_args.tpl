{{- define "dapr_sentry.jwtArgs" -}}
{{- with .Values.jwt -}}
{{- if .enabled -}}
- "--jwt-enabled=true"
{{- range $flag, $value := dict "jwt-key-filename" .keyFilename "jwks-filename" .jwksFilename "jwt-issuer" .issuer "jwt-signing-algorithm" .signingAlgorithm "jwt-key-id" .keyID }}
{{- with $value }}
- {{ printf "--%s=%s" $flag . | quote }}
{{- end }}
{{- end }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "dapr_sentry.oidcArgs" -}}
{{- with .Values.oidc -}}
{{- if .enabled -}}
- "--oidc-enabled=true"
- "--oidc-server-listen-address=0.0.0.0"
- "--oidc-server-tls-enabled={{ .tls.enabled }}"
{{- range $flag, $value := dict "oidc-jwks-uri" .jwksURI "oidc-path-prefix" .pathPrefix "oidc-allowed-hosts" (join "," .allowedHosts) "oidc-server-tls-cert-file" .tls.certFile "oidc-server-tls-key-file" .tls.keyFile }}
{{- with $value }}
- {{ printf "--%s=%s" $flag . | quote }}
{{- end }}
{{- end }}
{{- end -}}
{{- end -}}
{{- end }}
