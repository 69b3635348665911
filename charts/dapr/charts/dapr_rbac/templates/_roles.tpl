{{/*
The roles of one program and their bindings. `part` names its service account and Role, `clusterRole` its ClusterRole;
`cluster` are rules about what exists once per cluster, `everywhere` rules about every namespace, `own` rules about the
release namespace. With global.rbac.namespaced, `everywhere` shrinks to the release namespace.
*/}}
{{- define "dapr_rbac.roles" -}}
{{- $namespaced := .root.Values.global.rbac.namespaced }}
{{- $wide := compact (list .cluster (ternary "" .everywhere $namespaced)) }}
{{- $here := compact (list .own (ternary .everywhere "" $namespaced)) }}
{{- with $wide }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $.clusterRole }}
  labels:
    {{- include "dapr.labels" (dict "root" $.root) | nindent 4 }}
rules:
  {{- range . }}
  {{- . | nindent 2 }}
  {{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $.clusterRole }}
  labels:
    {{- include "dapr.labels" (dict "root" $.root) | nindent 4 }}
subjects:
  - kind: ServiceAccount
    name: dapr-{{ $.part }}
    namespace: {{ $.root.Release.Namespace }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ $.clusterRole }}
{{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: dapr-{{ .part }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "dapr.labels" (dict "root" .root) | nindent 4 }}
rules:
  {{- range $here }}
  {{- . | nindent 2 }}
  {{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: dapr-{{ .part }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "dapr.labels" (dict "root" .root) | nindent 4 }}
subjects:
  - kind: ServiceAccount
    name: dapr-{{ .part }}
    namespace: {{ .root.Release.Namespace }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: dapr-{{ .part }}
{{- end }}
