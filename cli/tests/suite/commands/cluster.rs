//! Commands for clusters say what to use instead.

use crate::tools::Place;

#[test]
fn commands_for_clusters_name_what_does_the_same() {
    let place = Place::new();
    for (line, command, instead) in [
        (
            "init -k",
            "init -k",
            "helm install dapr charts/dapr --namespace dapr-system --create-namespace --wait",
        ),
        (
            "init -k -n x --enable-ha --enable-mtls=false --timeout 60 --runtime-version 1.18.0 --image-registry r.example/d --set a=1,b=2 --set c={d}",
            "init -k",
            "helm install dapr charts/dapr --namespace x --create-namespace --wait --timeout 60s --set global.mtls.enabled=false --set global.ha.enabled=true --set global.registry=r.example/d --set global.tag=1.18.0 --set a=1,b=2 --set 'c={d}'",
        ),
        (
            "init --kubernetes --ca-root-certificate r.pem --issuer-public-certificate i.pem --issuer-private-key i.key",
            "init -k",
            "helm install dapr charts/dapr --namespace dapr-system --create-namespace --wait --set-file dapr_sentry.tls.root.certPEM=r.pem --set-file dapr_sentry.tls.issuer.certPEM=i.pem --set-file dapr_sentry.tls.issuer.keyPEM=i.key",
        ),
        (
            "uninstall -k",
            "uninstall -k",
            "helm uninstall dapr --namespace dapr-system --wait",
        ),
        (
            "uninstall -k --all -n x",
            "uninstall -k",
            "helm uninstall dapr --namespace x --wait && kubectl delete crds components.dapr.io configurations.dapr.io httpendpoints.dapr.io resiliencies.dapr.io subscriptions.dapr.io",
        ),
        (
            "list -kA",
            "list -k",
            "kubectl get pods --all-namespaces --selector dapr.io/sidecar-injected=true --label-columns dapr.io/app-id",
        ),
        (
            "list -k --namespace x",
            "list -k",
            "kubectl get pods --namespace x --selector dapr.io/sidecar-injected=true --label-columns dapr.io/app-id",
        ),
        (
            "stop -k -a x",
            "stop -k",
            "kubectl delete --filename <the manifests of the apps>",
        ),
        (
            "stop -k -f .",
            "stop -k",
            "kubectl delete --filename <the manifests of the apps>",
        ),
        (
            "logs -k -a cart",
            "logs -k",
            "kubectl logs --namespace default --selector dapr.io/app-id=cart --tail=-1 --container daprd",
        ),
        (
            "logs -k -a cart -p cart-0 -n shop --follow",
            "logs -k",
            "kubectl logs --namespace shop cart-0 --container daprd --follow",
        ),
        (
            "status -k",
            "status -k",
            "kubectl get pods --all-namespaces --selector 'app in (dapr-operator,dapr-sentry,dapr-sidecar-injector)'",
        ),
        (
            "mtls -k",
            "mtls -k",
            "kubectl get configurations.dapr.io daprsystem --namespace dapr-system --output jsonpath='{.spec.mtls.enabled}'",
        ),
        (
            "mtls expiry",
            "mtls expiry",
            "kubectl get secret dapr-trust-bundle --namespace dapr-system --output jsonpath='{.data.ca\\.crt}' | base64 -d | openssl x509 -noout -enddate",
        ),
        (
            "mtls renew-certificate -k --ca-root-certificate r.pem",
            "mtls renew-certificate -k",
            "helm upgrade dapr charts/dapr --namespace dapr-system --reset-then-reuse-values --set-file dapr_sentry.tls.root.certPEM=r.pem --set-file dapr_sentry.tls.issuer.certPEM=issuer.crt --set-file dapr_sentry.tls.issuer.keyPEM=issuer.key",
        ),
        (
            "upgrade -k --runtime-version 1.18.1 --set a=b",
            "upgrade -k",
            "helm upgrade dapr charts/dapr --namespace dapr-system --reset-then-reuse-values --wait --set global.tag=1.18.1 --set a=b",
        ),
        (
            "components -k",
            "components -k",
            "kubectl get components.dapr.io --all-namespaces",
        ),
        (
            "configurations -k -n appconfig --namespace x -o yaml",
            "configurations -k",
            "kubectl get configurations.dapr.io appconfig --namespace x --output yaml",
        ),
        (
            "configurations -k -n appconfig -A",
            "configurations -k",
            "kubectl get configurations.dapr.io --field-selector metadata.name=appconfig --all-namespaces",
        ),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let done = place.run(&words);
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{line}");
        assert_eq!(
            done.err,
            format!("❌  dapr {command} is not available yet; use: {instead}\n"),
            "{line}"
        );
    }
}

#[test]
fn exported_certificates_go_where_they_are_wanted() {
    let place = Place::new();
    let done = place.run(&["mtls", "export", "--out", "./my certs/"]);
    assert_eq!(done.code, Some(1));
    for file in ["ca.crt", "issuer.crt", "issuer.key"] {
        let save = format!("| base64 -d > './my certs/{file}'");
        assert!(done.err.contains(&save), "{}", done.err);
    }
    // The same command under its other names.
    let renew = place.run(&["mtls", "renew-certificate", "-k"]);
    for alias in ["renew-cert", "rnc"] {
        assert_eq!(place.run(&["mtls", alias, "-k"]).err, renew.err);
    }
}

#[test]
fn there_is_no_dashboard() {
    let place = Place::new();
    for line in [&["dashboard"][..], &["dashboard", "-k", "-p", "9999"]] {
        let done = place.run(line);
        assert_eq!((done.code, done.out.as_str()), (Some(1), ""));
        assert_eq!(
            done.err,
            "❌  there is no dashboard in Dapr 1.18; use: dapr list\n"
        );
    }
}
