//! Who calls, and what it may ask for. Codes and wording mirror Dapr 1.18
//! pkg/operator/api.

use security::AppIdentity;
use tonic::{Request, Status};

/// The caller, if it may see `namespace`.
#[allow(clippy::result_large_err, reason = "tonic's own type")]
pub(super) fn authorize<T>(request: &Request<T>, namespace: &str) -> Result<AppIdentity, Status> {
    let Some(caller) = request.extensions().get::<AppIdentity>() else {
        return Err(Status::permission_denied("failed to determine identity"));
    };
    if namespace.is_empty() || namespace != caller.namespace {
        return Err(Status::permission_denied(format!(
            "identity does not match requested namespace exp={namespace} got={}",
            caller.namespace
        )));
    }
    Ok(caller.clone())
}

/// As [`authorize`], in the words of the stream of Configurations.
#[allow(clippy::result_large_err, reason = "tonic's own type")]
pub(super) fn authorize_configuration<T>(
    request: &Request<T>,
    namespace: &str,
) -> Result<AppIdentity, Status> {
    authorize(request, namespace).map_err(|status| {
        let message = status.message();
        Status::permission_denied(format!(
            "failed to authorize configuration update request: rpc error: code = PermissionDenied desc = {message}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use security::TrustDomain;
    use tonic::Code;

    fn from(namespace: &str) -> Request<()> {
        let mut request = Request::new(());
        request.extensions_mut().insert(AppIdentity {
            trust_domain: TrustDomain::public(),
            namespace: namespace.to_owned(),
            app_id: "app".to_owned(),
        });
        request
    }

    #[test]
    fn only_the_own_namespace_is_seen() {
        assert_eq!(authorize(&from("shop"), "shop").unwrap().app_id, "app");
        for (asked, message) in [
            (
                "other",
                "identity does not match requested namespace exp=other got=shop",
            ),
            (
                "",
                "identity does not match requested namespace exp= got=shop",
            ),
        ] {
            let status = authorize(&from("shop"), asked).unwrap_err();
            assert_eq!(status.code(), Code::PermissionDenied);
            assert_eq!(status.message(), message);
        }
        let status = authorize(&Request::new(()), "shop").unwrap_err();
        assert_eq!(status.message(), "failed to determine identity");
        let status = authorize_configuration(&from("shop"), "other").unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied);
        assert_eq!(
            status.message(),
            "failed to authorize configuration update request: rpc error: code = PermissionDenied desc = identity does not match requested namespace exp=other got=shop"
        );
    }
}
