use super::*;

fn samples(p50: [f64; 3], cpu: [f64; 3]) -> Vec<Sample> {
    p50.into_iter()
        .zip(cpu)
        .map(|(p50_us, cpu_us)| Sample {
            calls: 10,
            p50_us,
            cpu_us,
            caller_us: cpu_us / 2.0,
            callee_us: cpu_us / 2.0,
            ..Sample::default()
        })
        .collect()
}

fn group(scenario: Scenario) -> Group {
    let mut group = Group::new(scenario, &[direct::NAME, nginx::NAME, ours::NAME]);
    group.series[0].rounds = samples([80.0, 160.0, 80.0], [0.0; 3]);
    group.series[1].rounds = samples([200.0, 400.0, 200.0], [50.0, 100.0, 50.0]);
    group.series[2].rounds = samples([240.0, 480.0, 240.0], [60.0, 120.0, 60.0]);
    group
}

/// Five percent below HTTP.
fn grpc_group(scenario: Scenario) -> Group {
    let mut group = Group::new(scenario, &[nginx::NAME, ours::NAME]);
    group.series[0].rounds = samples([200.0, 400.0, 200.0], [50.0, 100.0, 50.0]);
    group.series[1].rounds = samples([240.0, 480.0, 240.0], [57.0, 114.0, 57.0]);
    group
}

fn memory(rss: u64) -> Vec<Memory> {
    vec![
        Memory {
            rss,
            anonymous: 2_000_000,
        };
        2
    ]
}

fn report() -> Report {
    Report {
        machine: Machine::read(),
        peers: vec![(ours::NAME, "daprd 1.18.0".to_owned())],
        notes: Vec::new(),
        groups: vec![
            group(SEQUENTIAL),
            group(SATURATION),
            group(RATE),
            grpc_group(GRPC_SATURATION),
            grpc_group(GRPC_MULTIPLEXED),
            grpc_group(GRPC_RATE),
        ],
        memory: vec![PeerMemory {
            peer: ours::NAME,
            idle: memory(9_500_000),
            loaded: vec![Memory::default(); 2],
        }],
        streams: vec![PeerStreams {
            peer: ours::NAME,
            memory: StreamMemory {
                streams: 1000,
                connections: 10,
                before: memory(10_000_000),
                open: memory(10_000_000 + 20 * 1024 * 1000),
                ended: memory(12_000_000),
            },
        }],
        starts: vec![Starts {
            peer: ours::NAME,
            milliseconds: vec![20.0, 22.0, 70.0],
        }],
        bounds: Vec::new(),
        seconds: 1,
    }
}

fn verdicts(report: &Report) -> Vec<Verdict> {
    report.bounds.iter().map(|bound| bound.verdict).collect()
}

#[test]
fn a_good_run_is_within_all_bounds() {
    let mut report = report();
    report.judge(true);
    assert_eq!(
        verdicts(&report)[..8],
        [Verdict::Within; 8],
        "{}",
        report.text()
    );
    // 70 ms is the maximum; the median decides.
    assert!(!report.fails(true));
    let text = report.text();
    assert!(text.contains("1.20 ±0%"), "{text}");
    assert!(text.contains("3.00 ±0%"), "{text}");
    assert!(text.contains("9.5 / 9.5"), "{text}");
    assert!(text.contains("0.95 ±0%"), "{text}");
    assert!(text.contains("20.0 / 20.0"), "{text}");
}

#[test]
fn one_failed_call_takes_the_ratio_away_and_fails_the_run() {
    let mut report = report();
    report.groups[1].series[2].rounds[1].errors = 1;
    report.groups[1].series[2].rounds[1].first_error = Some("status 500: x".to_owned());
    report.judge(true);
    assert_eq!(verdicts(&report)[0], Verdict::Failed);
    assert_eq!(verdicts(&report)[1], Verdict::Within);
    assert!(report.fails(false));
    assert!(report.text().contains("ours failed: status 500: x"));
    let row = report.groups[1].row(&report.groups[1].series[2]);
    assert_eq!(row[8..], ["-", "-", "-", "1"]);
}

#[test]
fn a_failed_grpc_call_takes_only_the_ratios_it_is_in() {
    let mut report = report();
    report.groups[3].series[1].rounds[0].errors = 1;
    report.judge(true);
    assert_eq!(
        verdicts(&report)[..4],
        [
            Verdict::Within,
            Verdict::Within,
            Verdict::Failed,
            Verdict::Within
        ]
    );
}

#[test]
fn a_missing_nginx_fails_only_where_it_is_required() {
    let mut report = report();
    for group in &mut report.groups {
        group.series.retain(|series| series.peer != nginx::NAME);
    }
    report.judge(false);
    assert_eq!(verdicts(&report)[..2], [Verdict::Skipped; 2]);
    assert!(!report.fails(false));
    assert!(report.fails(true));
}

#[test]
fn each_bound_can_be_exceeded() {
    let mut slow = report();
    slow.groups[0].series[2].rounds = samples([301.0, 640.0, 310.0], [1.0; 3]);
    slow.groups[1].series[2].rounds = samples([1.0; 3], [76.0, 151.0, 77.0]);
    slow.groups[5].series[1].rounds = samples([1.0; 3], [61.0, 121.0, 61.0]);
    slow.streams[0].memory.open[1].rss += 5 * 1024 * 1000;
    slow.memory[0].idle[1].rss = 12_000_001;
    slow.starts[0].milliseconds = vec![49.0, 51.0, 52.0];
    slow.judge(true);
    let (above, within) = (Verdict::Above, Verdict::Within);
    assert_eq!(
        verdicts(&slow),
        [
            above, above, within, above, within, above, within, above, above
        ]
    );
    assert!(slow.fails(false));
}

#[test]
fn what_was_not_measured_is_a_failure() {
    let mut empty = report();
    empty.groups.clear();
    empty.memory.clear();
    empty.streams.clear();
    empty.starts.clear();
    empty.judge(true);
    assert_eq!(verdicts(&empty), [Verdict::Failed; 9]);
}
