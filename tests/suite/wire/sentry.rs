//! The certificate authority towards a raw client.

use tests::{Mesh, PeerClient};

/// V20: sentry takes the key of a request, and nothing else.
#[test]
fn sentry_signs_the_id_and_not_the_request() {
    use api::sentry::v1::{SignCertificateRequest, SignCertificateResponse};
    use x509_parser::prelude::{FromDer, GeneralName, Pem, X509Certificate};
    let mesh = Mesh::mtls();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["evil".to_owned()]).unwrap();
    let csr = params.serialize_request(&key).unwrap().pem().unwrap();
    let client = PeerClient::tls(mesh.sentry().port(), None).unwrap();
    let request = SignCertificateRequest {
        id: "honest".to_owned(),
        namespace: "default".to_owned(),
        certificate_signing_request: csr.into_bytes().into(),
        ..SignCertificateRequest::default()
    };
    let answer = client
        .unary("/dapr.proto.sentry.v1.CA/SignCertificate", &request)
        .unwrap();
    assert_eq!(answer.code(), 0, "{}", answer.message());
    let response: SignCertificateResponse =
        prost::Message::decode(answer.messages[0].clone()).unwrap();
    let blocks: Vec<_> = Pem::iter_from_buffer(&response.workload_certificate)
        .map(Result::unwrap)
        .collect();
    assert_eq!(blocks.len(), 2, "leaf and issuer");
    let (_, leaf) = X509Certificate::from_der(&blocks[0].contents).unwrap();
    let names = leaf.subject_alternative_name().unwrap().unwrap();
    let [GeneralName::URI(id)] = names.value.general_names[..] else {
        panic!("only the id: {:?}", names.value.general_names);
    };
    assert_eq!(id, "spiffe://public/ns/default/honest");
    assert_eq!(leaf.subject().iter().count(), 0);
    let chain = &response.trust_chain_certificates;
    assert_eq!(chain.len(), 1);
    assert_eq!(
        String::from_utf8_lossy(&chain[0]).trim(),
        mesh.ca().anchors().trim()
    );
}
