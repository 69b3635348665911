use super::*;

fn response(bytes: &[u8]) -> Result<Option<Message<'_>>, Malformed> {
    parse(bytes, WithoutLength::Refused)
}

#[test]
fn a_sized_response_is_whole_only_with_its_last_byte() {
    let bytes = b"HTTP/1.1 200 OK\r\nX: y\r\nCONTENT-length: 5\r\n\r\nhello";
    for cut in 0..bytes.len() {
        assert_eq!(response(&bytes[..cut]), Ok(None), "cut at {cut}");
    }
    let message = response(bytes).unwrap().unwrap();
    assert_eq!(message.status(), Some(200));
    assert_eq!(message.body.as_ref(), b"hello");
    assert_eq!(message.consumed, bytes.len());
    assert!(!message.close);
}

#[test]
fn a_chunked_response_is_joined_and_its_trailers_are_skipped() {
    let bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
        3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nHTTP/1.1";
    let whole = bytes.len() - b"HTTP/1.1".len();
    for cut in 0..whole {
        assert_eq!(response(&bytes[..cut]), Ok(None), "cut at {cut}");
    }
    let message = response(bytes).unwrap().unwrap();
    assert_eq!(message.body.as_ref(), b"abc0123456789");
    assert_eq!(message.consumed, whole);
    assert!(message.close);
}

#[test]
fn a_pipelined_second_message_is_left_alone() {
    let one = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    let two = [one.as_slice(), one.as_slice()].concat();
    assert_eq!(response(&two).unwrap().unwrap().consumed, one.len());
}

#[test]
fn statuses_without_a_body_end_with_their_head() {
    let bytes = b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n";
    let message = response(bytes).unwrap().unwrap();
    assert_eq!(
        (message.status(), message.consumed),
        (Some(204), bytes.len())
    );
}

#[test]
fn a_request_without_length_has_no_body() {
    let bytes = b"GET /dapr/config HTTP/1.1\r\nHost: x\r\n\r\n";
    let message = parse(bytes, WithoutLength::Empty).unwrap().unwrap();
    assert_eq!(message.path(), Some(b"/dapr/config".as_slice()));
    assert!(message.body.is_empty());
}

#[test]
fn what_is_not_a_message_is_named() {
    let rows: [(&[u8], Malformed); 7] = [
        (b"SSH-2.0-x\r\n\r\n", Malformed::Head),
        (b"HTTP/1.1 200 OK\r\n\r\nx", Malformed::Unframed),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            Malformed::ContentLength,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
            Malformed::ContentLength,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            Malformed::TransferEncoding,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            Malformed::Chunk,
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc",
            Malformed::Chunk,
        ),
    ];
    for (bytes, expected) in rows {
        assert_eq!(
            response(bytes),
            Err(expected),
            "{}",
            String::from_utf8_lossy(bytes)
        );
    }
    let long = [b"HTTP/1.1 200 OK\r\nX: ".as_slice(), &vec![b'a'; MAX_HEAD]].concat();
    assert_eq!(response(&long), Err(Malformed::HeadTooLong));
}
