use std::{future::ready, pin::pin};

use super::*;

#[test]
fn a_deadline_adds_little_to_what_it_ends() {
    let work = pin!(async {
        let kept = [0_u8; 4096];
        ready(()).await;
        Ok::<_, ()>(kept.len())
    });
    let watched = within(None, work, || ());
    assert!(size_of_val(&watched) < 512, "{}", size_of_val(&watched));
}
