use super::*;

const TEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn parse(text: &str) -> Option<TraceContext> {
    TraceContext::parse(text.as_bytes())
}

#[test]
fn both_forms_of_the_golden_context() {
    let context = parse(TEXT).unwrap();
    assert!(context.is_sampled());
    assert_eq!(context.traceparent().as_str(), TEXT);
    let mut golden = vec![0, 0];
    golden.extend(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes());
    golden.push(1);
    golden.extend(0xb7ad_6b71_6920_3331_u64.to_be_bytes());
    golden.extend([2, 1]);
    assert_eq!(context.to_binary().as_slice(), golden);
    assert_eq!(TraceContext::from_binary(&golden), Some(context));
    // Flags are optional in the binary form.
    let unsampled = TraceContext::from_binary(&golden[..27]).unwrap();
    assert_eq!(
        (unsampled.flags(), unsampled.span_id()),
        (0, context.span_id())
    );
}

#[test]
fn lenient_where_upstream_is() {
    for text in [
        "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01",
        "fe-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-brings",
        " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0100",
    ] {
        assert_eq!(parse(text), parse(TEXT), "{text}");
    }
}

#[test]
fn malformed_contexts_are_refused() {
    for text in [
        "",
        "00",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-012",
        "0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
    let good = parse(TEXT).unwrap().to_binary();
    for end in 0..27 {
        assert_eq!(TraceContext::from_binary(&good[..end]), None, "{end}");
    }
    for at in [0, 1, 18] {
        let mut bad = good;
        bad[at] = 9;
        assert_eq!(TraceContext::from_binary(&bad), None, "{at}");
    }
}

#[test]
fn children_share_the_trace_only() {
    let parent = parse(TEXT).unwrap();
    let child = parent.child();
    assert_eq!((child.trace_id(), child.flags()), (parent.trace_id(), 1));
    assert_ne!(child.span_id(), parent.span_id());
    let fresh = TraceContext::random_unsampled();
    assert!(!fresh.is_sampled());
    assert_ne!(
        fresh.trace_id(),
        TraceContext::random_unsampled().trace_id()
    );
    assert_eq!(
        TraceContext::parse(fresh.traceparent().as_bytes()),
        Some(fresh)
    );
}
