//! The rules of increases: case by case as the data model draws them, and over any history of a
//! counter, whose true total is known before it is cut into points.

use proptest::prelude::*;

use super::*;

/// A point with a start, a time and a whole number.
fn int(start: Option<i64>, time: i64, value: i64) -> Point {
    Point { start, time, told: Some(Told::Number { value: value as f64, int: Some(value) }) }
}

fn float(start: Option<i64>, time: i64, value: f64) -> Point {
    Point { start, time, told: Some(Told::Number { value, int: None }) }
}

fn distribution(start: i64, time: i64, count: i64, sum: f64) -> Point {
    Point { start: Some(start), time, told: Some(Told::Distribution { count, sum: Some(sum) }) }
}

/// The points in the order of the table: start, time, arrival.
fn fold(delta: bool, read_from: Option<i64>, points: &[Point]) -> Vec<Increase> {
    let mut sorted: Vec<(usize, Point)> = points.iter().copied().enumerate().collect();
    sorted.sort_by_key(|(arrival, p)| (p.start, p.time, *arrival));
    let mut fold = Fold::new(read_from);
    sorted.into_iter().map(|(_, point)| fold.step(Some(delta), point)).collect()
}

fn ints(increases: &[Increase]) -> Vec<(&'static str, Option<i64>)> {
    let int = |told| match told {
        Told::Number { int, .. } => int,
        Told::Distribution { count, .. } => Some(count),
    };
    increases.iter().map(|i| (i.basis.word(), i.more.and_then(int))).collect()
}

fn check(delta: bool, points: &[Point], expect: &[(&str, Option<i64>)]) {
    assert_eq!(ints(&fold(delta, None, points)), expect, "{points:?}");
}

#[test]
fn cumulative_points_of_one_start_add_their_differences() {
    let s = Some(100);
    check(
        false,
        &[int(s, 110, 5), int(s, 120, 5), int(s, 130, 12)],
        &[("first", Some(5)), ("cumulative", Some(0)), ("cumulative", Some(7))],
    );
}

#[test]
fn a_new_start_is_a_reset_even_where_the_value_is_higher() {
    // A value of 9 after one of 5 would be 4 more; a new start makes it 9.
    check(
        false,
        &[int(Some(100), 110, 5), int(Some(115), 120, 9), int(Some(115), 130, 10)],
        &[("first", Some(5)), ("reset", Some(9)), ("cumulative", Some(1))],
    );
}

#[test]
fn without_a_start_the_first_point_is_unknown_and_a_fall_is_a_reset() {
    check(
        false,
        &[int(None, 10, 100), int(None, 20, 130), int(None, 30, 7), int(None, 40, 8)],
        &[("unknown", None), ("cumulative", Some(30)), ("reset", Some(7)), ("cumulative", Some(1))],
    );
}

#[test]
fn a_point_of_no_duration_resumes_a_counter_of_unknown_start() {
    // Data model, "Cumulative streams: handling unknown start time".
    check(
        false,
        &[int(Some(100), 100, 5_000), int(Some(100), 110, 5_003)],
        &[("unknown", None), ("cumulative", Some(3))],
    );
}

#[test]
fn the_same_point_twice_counts_once() {
    let cumulative = [int(Some(0), 10, 5), int(Some(0), 10, 5), int(Some(0), 20, 6)];
    let expect = [("first", Some(5)), ("duplicate", Some(0)), ("cumulative", Some(1))];
    check(false, &cumulative, &expect);
    let delta = [int(Some(0), 10, 5), int(Some(0), 10, 5), int(Some(10), 20, 6)];
    check(true, &delta, &[("delta", Some(5)), ("duplicate", Some(0)), ("delta", Some(6))]);
    let no_start = [int(None, 10, 5), int(None, 10, 5), int(None, 20, 6)];
    check(true, &no_start, &[("delta", Some(5)), ("duplicate", Some(0)), ("delta", Some(6))]);
}

#[test]
fn another_value_for_the_same_time_is_not_counted() {
    check(
        false,
        &[int(Some(0), 10, 5), int(Some(0), 10, 6), int(Some(0), 20, 9)],
        &[("first", Some(5)), ("overlap", None), ("cumulative", Some(4))],
    );
    check(
        true,
        &[int(Some(0), 10, 5), int(Some(0), 10, 6), int(Some(0), 10, 5)],
        &[("delta", Some(5)), ("overlap", None), ("duplicate", Some(0))],
    );
}

#[test]
fn processes_that_write_one_series_are_each_counted() {
    // One has told 10 at its end, the other 7, and their points lie between each other's.
    let points = [
        int(Some(100), 110, 4),
        int(Some(105), 115, 5),
        int(Some(100), 120, 10),
        int(Some(105), 125, 7),
    ];
    let increases = fold(false, None, &points);
    assert_eq!(
        ints(&increases),
        [("first", Some(4)), ("cumulative", Some(6)), ("reset", Some(5)), ("cumulative", Some(2))]
    );
    assert_eq!(increases[2].reason, Some(reason::SEVERAL_WRITERS));
}

#[test]
fn what_is_no_count_is_unknown_and_forgotten() {
    let gap = Point { start: Some(0), time: 20, told: None };
    check(
        false,
        &[int(Some(0), 10, 5), gap, float(Some(0), 25, f64::NAN), int(Some(0), 30, 6)],
        &[("first", Some(5)), ("unknown", None), ("unknown", None), ("cumulative", Some(1))],
    );
    check(true, &[int(Some(0), 10, -1)], &[("unknown", None)]);
    check(false, &[int(Some(11), 10, 1)], &[("unknown", None)]);
    let untold = Fold::new(None).step(None, int(Some(0), 10, 5));
    assert_eq!((untold.basis, untold.more), (Basis::Unknown, None));
}

#[test]
fn distributions_reset_by_their_count() {
    let points = [
        distribution(0, 10, 2, 30.0),
        distribution(0, 20, 5, 90.0),
        // Fewer observations, and more in sum: begun anew all the same.
        distribution(0, 30, 1, 100.0),
    ];
    let more: Vec<_> = fold(false, None, &points).into_iter().map(|i| (i.basis, i.more)).collect();
    let told = |count, sum| Some(Told::Distribution { count, sum: Some(sum) });
    assert_eq!(
        more,
        [
            (Basis::First, told(2, 30.0)),
            (Basis::Cumulative, told(3, 60.0)),
            (Basis::Reset, told(1, 100.0))
        ]
    );
}

#[test]
fn a_start_before_what_was_read_is_unknown_and_one_after_it_is_not() {
    let points = [int(Some(50), 110, 40), int(Some(50), 120, 41), int(Some(115), 130, 3)];
    assert_eq!(
        ints(&fold(false, Some(100), &points)),
        [("unknown", None), ("cumulative", Some(1)), ("reset", Some(3))]
    );
}

#[test]
fn a_series_that_tells_its_start_only_at_times_counts_nothing_twice() {
    let points = [int(None, 110, 40), int(None, 120, 44), int(Some(50), 130, 45)];
    assert_eq!(
        ints(&fold(false, None, &points)),
        [("unknown", None), ("cumulative", Some(4)), ("unknown", None)]
    );
}

#[test]
fn whole_numbers_stay_exact_beyond_what_a_float_holds() {
    // 2^53 + 1 is no float.
    let big = 9_007_199_254_740_993;
    check(
        false,
        &[int(Some(0), 10, big), int(Some(0), 20, big + 1)],
        &[("first", Some(big)), ("cumulative", Some(1))],
    );
    check(true, &[int(Some(0), 10, i64::MAX)], &[("delta", Some(i64::MAX))]);
}

#[test]
fn every_basis_has_a_word_of_its_own() {
    let words: std::collections::BTreeSet<_> = Basis::ALL.iter().map(|b| b.word()).collect();
    assert_eq!(words.len(), Basis::ALL.len());
}

/// One run of a process: what it counted between its exports, first to last.
type Run = Vec<Vec<u32>>;

/// Some runs, one after the other, each with some exports of what was counted since the one before.
fn histories() -> impl Strategy<Value = Vec<Run>> {
    let amounts = prop::collection::vec(0u32..1_000, 0..4);
    prop::collection::vec(prop::collection::vec(amounts, 1..6), 1..5)
}

/// Which points come twice, and in which order all arrive.
fn arrivals() -> impl Strategy<Value = (Vec<bool>, u64)> {
    (prop::collection::vec(any::<bool>(), 32), any::<u64>())
}

/// The points of a history: an export each 10, a pause of 5 between runs.
fn points(history: &[Run], delta: bool, starts: bool) -> Vec<Point> {
    let (mut points, mut now) = (Vec::new(), 1_000);
    for run in history {
        let (run_start, mut total) = (now, 0);
        for counted in run {
            let (before, more) = (now, counted.iter().map(|n| i64::from(*n)).sum::<i64>());
            now += 10;
            total += more;
            let start = starts.then_some(if delta { before } else { run_start });
            points.push(int(start, now, if delta { more } else { total }));
        }
        now += 5;
    }
    points
}

/// The points as they arrive: some twice, in any order.
fn arrived(points: &[Point], (twice, seed): &(Vec<bool>, u64)) -> Vec<Point> {
    let mut all: Vec<Point> = points.to_vec();
    all.extend(points.iter().zip(twice).filter(|(_, twice)| **twice).map(|(p, _)| *p));
    let mut state = seed | 1;
    for i in (1..all.len()).rev() {
        // A linear congruential generator (Knuth's MMIX): any order, the same for the same seed.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        all.swap(i, (state >> 33) as usize % (i + 1));
    }
    all
}

fn total(increases: &[Increase]) -> i64 {
    ints(increases).iter().filter_map(|(_, more)| *more).sum()
}

proptest! {
    /// What was counted is what was exported, whichever way.
    #[test]
    fn every_history_adds_up_in_both_temporalities(history in histories(), order in arrivals()) {
        let counted: i64 = history.iter().flatten().flatten().map(|n| i64::from(*n)).sum();
        for delta in [true, false] {
            let increases = fold(delta, None, &arrived(&points(&history, delta, true), &order));
            prop_assert_eq!(total(&increases), counted, "delta: {}", delta);
            prop_assert!(increases.iter().all(|i| i.more.is_some()), "{:?}", increases);
        }
    }

    /// Without starts, it is what Prometheus says: the last value less the first, and what each fall lost.
    #[test]
    fn without_starts_it_is_the_increase_of_prometheus(history in histories(), order in arrivals()) {
        let points = points(&history, false, false);
        let value = |p: &Point| match p.told { Some(Told::Number { int: Some(v), .. }) => v, _ => 0 };
        let values: Vec<i64> = points.iter().map(value).collect();
        let lost: i64 = values.windows(2).filter(|w| w[1] < w[0]).map(|w| w[0]).sum();
        let expected = values[values.len() - 1] - values[0] + lost;
        prop_assert_eq!(total(&fold(false, None, &arrived(&points, &order))), expected);
    }

    /// Any window that begins after the look-back gives the same increases as the whole.
    #[test]
    fn a_window_knows_less_and_says_nothing_else(history in histories(), cut in 1_000i64..1_300) {
        let points = points(&history, false, true);
        let whole = fold(false, None, &points);
        let read: Vec<Point> = points.iter().copied().filter(|p| p.time >= cut).collect();
        let part = fold(false, Some(cut), &read);
        for (part, whole) in part.iter().rev().zip(whole.iter().rev()) {
            prop_assert!(part.more == whole.more || part.basis == Basis::Unknown, "{:?} {:?}", part, whole);
        }
    }
}
