//! What a Dapr 1.18 sidecar sends: app `a` on host `alpha`, process 25183,
//! internal port 50002, address 10.77.0.1. Captured on the wire.

/// Query: one question, two records in the authority section, an id nobody
/// looks at.
///
/// * question `alpha:25183.a.local.` PTR IN
/// * authority SRV (TTL 3200, 0 0 50002 `alpha.local.`)
/// * authority TXT (TTL 3200, "a")
pub(in crate::resolve::mdns) const PROBE: &str = "\
    ba5000000001000000020000\
    0b616c7068613a32353138330161056c6f63616c00000c0001\
    0b616c7068613a32353138330161056c6f63616c000021000100000c80001300000000c35205616c706861056c6f63616c00\
    0b616c7068613a32353138330161056c6f63616c000010000100000c8000020161";

/// Response, flags 8000, id 0, five answers. Class 8001 is IN with the
/// cache-flush bit.
///
/// * `alpha:25183.a.local.` SRV 8001 TTL 3200, 0 0 50002 `alpha.local.`
/// * the same TXT 8001 TTL 3200, "a"
/// * `a.local.` PTR 0001 TTL 3200, `alpha:25183.a.local.`
/// * `_services._dns-sd._udp.local.` PTR 0001 TTL 3200, `a.local.`
/// * `alpha.local.` A 8001 TTL 120, 10.77.0.1
pub(in crate::resolve::mdns) const ANNOUNCEMENT: &str = "\
    000080000000000500000000\
    0b616c7068613a32353138330161056c6f63616c000021800100000c80001300000000c35205616c706861056c6f63616c00\
    c00c0010800100000c8000020161\
    c018000c000100000c800002c00c\
    095f7365727669636573075f646e732d7364045f756470c01a000c000100000c800002c018\
    c031000180010000007800040a4d0001";

/// The same of a sidecar whose address is fd77::1, process 25457: the last
/// record is AAAA 8001 TTL 120.
pub(in crate::resolve::mdns) const ANNOUNCEMENT_V6: &str = "\
    000080000000000500000000\
    0b616c7068613a32353435370161056c6f63616c000021800100000c80001300000000c35205616c706861056c6f63616c00\
    c00c0010800100000c8000020161\
    c018000c000100000c800002c00c\
    095f7365727669636573075f646e732d7364045f756470c01a000c000100000c800002c018\
    c031001c8001000000780010fd770000000000000000000000000001";

/// Query for `shop.local.` PTR IN by a sidecar that looks for the app `shop`.
pub(in crate::resolve::mdns) const QUERY: &str =
    "c061000000010000000000000473686f70056c6f63616c00000c0001";

/// Response to a query for `a.local.` PTR with id 0x1234 and the unicast bit:
/// flags 8400, the id of the query, no question.
///
/// * answer `a.local.` PTR 0001 TTL 3200, `alpha:25183.a.local.`
/// * additional SRV 0001 TTL 3200
/// * additional TXT 0001 TTL 3200
/// * additional `alpha.local.` A 0001 TTL 120
pub(in crate::resolve::mdns) const ANSWER: &str = "\
    123484000000000100000003\
    0161056c6f63616c00000c000100000c80000e0b616c7068613a3235313833c00c\
    c01f0021000100000c80001300000000c35205616c706861056c6f63616c00\
    c01f0010000100000c8000020161\
    c03f000100010000007800040a4d0001";

/// Response to a query for the instance: as the announcement, except that
/// flags are 8400 and the A record has no cache-flush bit.
pub(in crate::resolve::mdns) const INSTANCE_ANSWER: &str = "\
    000084000000000500000000\
    0b616c7068613a32353138330161056c6f63616c000021800100000c80001300000000c35205616c706861056c6f63616c00\
    c00c0010800100000c8000020161\
    c018000c000100000c800002c00c\
    095f7365727669636573075f646e732d7364045f756470c01a000c000100000c800002c018\
    c031000100010000007800040a4d0001";

/// Response to a query for `_services._dns-sd._udp.local.`: PTR 0001 TTL
/// 3200, `a.local.`
pub(in crate::resolve::mdns) const TYPES_ANSWER: &str = "\
    000084000000000100000000\
    095f7365727669636573075f646e732d7364045f756470056c6f63616c00000c000100000c8000040161c023";

/// Query for `a.local.` PTR with a known answer that silences the sidecar
/// above: PTR TTL 3000, `alpha:25183.a.local.`
pub(in crate::resolve::mdns) const KNOWN: &str = "\
    000000000001000100000000\
    0161056c6f63616c00000c0001\
    0161056c6f63616c00000c000100000bb800150b616c7068613a32353138330161056c6f63616c00";

/// As the announcement, without compression and with TTL 0 everywhere.
pub(in crate::resolve::mdns) const GOODBYE: &str = "\
    000080000000000500000000\
    0b616c7068613a32353138330161056c6f63616c000021800100000000001300000000c35205616c706861056c6f63616c00\
    0b616c7068613a32353138330161056c6f63616c00001080010000000000020161\
    0161056c6f63616c00000c00010000000000150b616c7068613a32353138330161056c6f63616c00\
    095f7365727669636573075f646e732d7364045f756470056c6f63616c00000c00010000000000090161056c6f63616c00\
    05616c706861056c6f63616c00000180010000000000040a4d0001";

pub(in crate::resolve::mdns) fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2));
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}
