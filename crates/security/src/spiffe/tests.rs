use super::*;

#[test]
fn well_formed_ids_keep_their_text() {
    for text in [
        "spiffe://public/ns/default/app",
        "spiffe://a.b_c-1/ns/N_x/App.1/more",
        "spiffe://domain",
    ] {
        assert_eq!(text.parse::<SpiffeId>().unwrap().to_string(), text);
    }
}

#[test]
fn malformed_ids_are_refused_with_the_words_of_peers() {
    use SpiffeIdError as E;
    for (text, error) in [
        ("", E::Empty),
        ("http://public/ns/a/b", E::Scheme),
        ("SPIFFE://public/a", E::Scheme),
        ("spiffe:///ns/a/b", E::MissingTrustDomain),
        ("spiffe://Public/ns/a/b", E::TrustDomainCharacter),
        ("spiffe://user@public/a", E::TrustDomainCharacter),
        ("spiffe://public:1/a", E::TrustDomainCharacter),
        ("spiffe://public/ns/a b/c", E::PathCharacter),
        ("spiffe://public/ns/a%2fb/c", E::PathCharacter),
        ("spiffe://public/ns?x", E::PathCharacter),
        ("spiffe://public?x", E::TrustDomainCharacter),
        ("spiffe://public/ns/é", E::PathCharacter),
        ("spiffe://public/ns/../c", E::DotSegment),
        ("spiffe://public/ns/./c", E::DotSegment),
        ("spiffe://public/ns//c", E::EmptySegment),
        ("spiffe://public/ns/a/", E::TrailingSlash),
        ("spiffe://public/", E::TrailingSlash),
    ] {
        assert_eq!(text.parse::<SpiffeId>(), Err(error), "{text}");
    }
}

#[test]
fn trust_domain_accepts_a_name_or_an_id() {
    assert_eq!("public".parse::<TrustDomain>().unwrap().as_str(), "public");
    assert_eq!(
        "spiffe://td/ns/x/y"
            .parse::<TrustDomain>()
            .unwrap()
            .as_str(),
        "td"
    );
    for text in ["", "myDomain", "a b", "a/b", "http://x"] {
        assert!(text.parse::<TrustDomain>().is_err(), "{text}");
    }
}

#[test]
fn app_identity_needs_namespace_and_app_id() {
    let identity = |text: &str| AppIdentity::try_from(&text.parse::<SpiffeId>().unwrap());
    let app = identity("spiffe://td/ns/shop/cart/extra").unwrap();
    assert_eq!(
        (app.trust_domain.as_str(), &*app.namespace, &*app.app_id),
        ("td", "shop", "cart")
    );
    assert_eq!(app.to_string(), "spiffe://td/ns/shop/cart");
    for text in ["spiffe://td", "spiffe://td/ns/shop", "spiffe://td/sa/a/b"] {
        assert_eq!(
            identity(text).unwrap_err().to_string(),
            format!("malformed SPIFFE ID: {text}")
        );
    }
}

#[test]
fn workload_ids_cannot_be_talked_into_other_paths() {
    let td = TrustDomain::public();
    assert_eq!(
        SpiffeId::workload(&td, "default", "app").unwrap().as_str(),
        "spiffe://public/ns/default/app"
    );
    for (namespace, app_id) in [
        ("", "a"),
        ("n", ""),
        ("n", "a/b"),
        ("..", "a"),
        ("n", "a b"),
    ] {
        assert!(SpiffeId::workload(&td, namespace, app_id).is_err());
    }
}
