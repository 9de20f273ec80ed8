//! In short: the bounds hold, nothing is lost, and the same seed brings the same trace.

use scale::report::beyond;
use scale::run::{Figures, Mode, Setting, run};

fn held(mode: Mode, jobs: u64, seed: u64) -> Figures {
    let figures = run(Setting { mode, jobs, seed });
    let problems = beyond(&figures);
    assert!(problems.is_empty(), "{mode:?}: {problems:#?}\n{:#?}", figures.counted.counts);
    figures
}

#[test]
fn a_queue_is_drained_within_the_bounds_and_the_same_again_by_its_seed() {
    for mode in Mode::ALL.into_iter().filter(|mode| *mode != Mode::Storm) {
        let [one, again] = [(); 2].map(|()| held(mode, 600, 1));
        let what = |of: &Figures| (of.counted.trace, of.drained);
        assert_eq!(what(&one), what(&again), "{mode:?}");
    }
    let [one, other] = [1, 2].map(|seed| held(Mode::Short, 600, seed).counted.trace);
    assert_ne!(one, other);
}

#[test]
fn a_minute_of_throttles_slows_launches_down_and_half_a_minute_later_they_are_as_fast_as_before() {
    let storm = held(Mode::Storm, 2_400, 1).storm().expect("it had one");
    assert!(storm.before > 15.0, "{storm:?}");
}
