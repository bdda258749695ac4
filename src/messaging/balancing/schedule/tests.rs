use super::*;
use crate::random_for_tests::Random;
use std::collections::BTreeMap;

const HEARTBEAT: Duration = Duration::from_millis(1000);
const BUSY_LIMIT: Duration = Duration::from_secs(20);
const LIMITS: Limits = Limits {
    heartbeat: HEARTBEAT,
    busy_limit: BUSY_LIMIT,
    queue: 8,
    bytes: 1000,
};

fn job(number: u64, repeat: bool) -> Job<u64> {
    Job {
        body: number,
        size: 10,
        repeat,
        expires: None,
        losses: 0,
        lost: None,
    }
}

fn sign(level: Level, capacity: usize) -> Sign {
    Sign {
        level,
        announces: true,
        ping: None,
        in_hand: Vec::new(),
        capacity,
        leaving: false,
    }
}

fn answer(ping: u64, in_hand: &[u64]) -> Sign {
    Sign {
        announces: false,
        ping: Some(ping),
        in_hand: in_hand.to_vec(),
        ..sign(Level::Ours, 1)
    }
}

fn ended(schedule: &mut Schedule<u64>) -> Vec<(u64, Why)> {
    schedule
        .take_ended()
        .into_iter()
        .map(|(job, why)| (job.body, why))
        .collect()
}

/// The name of the worker that gets the next request, with its tag and number.
fn next(schedule: &mut Schedule<u64>, now: Instant) -> Option<(String, u64, u64)> {
    let (tag, job, worker) = schedule.next(now)?;
    Some((String::from_utf8_lossy(&worker.name).into_owned(), tag, job.body))
}

fn reply(schedule: &mut Schedule<u64>, name: &[u8], tag: u64, now: Instant) -> Option<u64> {
    let answered = schedule.answered(name, Some(tag), || Level::Ours, |_| false, now);
    answered.map(|job| job.body)
}

#[test]
fn a_silent_worker_is_given_up_within_two_heartbeats_and_not_before_it_could_answer() {
    for level in [Level::Ours, Level::Typed, Level::Bytes] {
        let begin = Instant::now();
        let mut schedule: Schedule<u64> = Schedule::new(LIMITS, 0);
        schedule.sign(b"w", &sign(level, 1), begin);
        let mut now = begin;
        let mut asked_at = None;
        while schedule.counts().workers == 1 {
            now += Duration::from_millis(10);
            if schedule.due().unwrap() <= now && !schedule.tick(now).is_empty() {
                asked_at.get_or_insert(now);
            }
            assert!(now - begin <= 2 * HEARTBEAT, "{level:?}: still there");
        }
        assert!(asked_at.unwrap() + HEARTBEAT / 2 <= now, "it had no time to answer");
    }
}

#[test]
fn the_longest_idle_worker_is_next_whoever_answers_when() {
    let begin = Instant::now();
    let mut schedule: Schedule<u64> = Schedule::new(LIMITS, 0);
    for name in ["a", "b", "c"] {
        schedule.sign(name.as_bytes(), &sign(Level::Ours, 1), begin);
    }
    let slot = schedule.slot_of(b"a").unwrap();
    let ping = schedule.asked(slot, begin);
    schedule.sign(b"a", &answer(ping, &[]), begin);
    for name in ["a", "b", "c", "a", "b", "c"] {
        schedule.submit(job(0, false), begin);
        let (got, tag, _) = next(&mut schedule, begin).unwrap();
        assert_eq!(got, name);
        reply(&mut schedule, name.as_bytes(), tag, begin);
    }
}

#[test]
fn a_worker_that_answers_stays_and_one_that_works_silently_has_its_time() {
    let begin = Instant::now();
    let mut schedule: Schedule<u64> = Schedule::new(LIMITS, 0);
    schedule.sign(b"ours", &sign(Level::Ours, 1), begin);
    schedule.sign(b"old", &sign(Level::Bytes, 1), begin);
    for number in 0..2 {
        schedule.submit(job(number, number == 1), begin);
        next(&mut schedule, begin).unwrap();
    }
    let mut now = begin;
    while now - begin < BUSY_LIMIT - HEARTBEAT {
        now += HEARTBEAT / 10;
        for (slot, ping) in schedule.tick(now) {
            assert_eq!(
                &*schedule.worker(slot).name,
                b"ours",
                "a silent one is not asked while it works"
            );
            schedule.sign(b"ours", &answer(ping, &[0]), now);
        }
        let counts = schedule.counts();
        assert_eq!((counts.workers, counts.working, counts.retried), (2, 2, 0));
    }
    while now - begin < BUSY_LIMIT + HEARTBEAT {
        now += HEARTBEAT / 10;
        for (_, ping) in schedule.tick(now) {
            schedule.sign(b"ours", &answer(ping, &[0]), now);
        }
    }
    // The old one kept request 1 for too long: it may be repeated, and waits for another worker.
    let counts = schedule.counts();
    assert_eq!((counts.queued, counts.retried, counts.workers), (1, 1, 1), "{counts:?}");
    // Its answer comes late, and shows that it has time.
    assert!(schedule
        .answered(b"old", None, || Level::Bytes, |_| true, now)
        .is_none());
    assert_eq!(schedule.counts().late, 1);
    assert_eq!(next(&mut schedule, now).unwrap().0, "old");
}

#[test]
fn what_was_lost_on_the_way_is_noticed_and_what_is_on_its_way_is_not_lost() {
    let now = Instant::now();
    let mut schedule: Schedule<u64> = Schedule::new(LIMITS, 100);
    schedule.sign(b"w", &sign(Level::Ours, 3), now);
    let slot = schedule.slot_of(b"w").unwrap();
    schedule.submit(job(0, true), now);
    assert_eq!(next(&mut schedule, now), Some(("w".into(), 100, 0)));
    let ping = schedule.asked(slot, now);
    // Sent after the question: the worker may have answered it before.
    schedule.submit(job(1, true), now);
    assert_eq!(next(&mut schedule, now), Some(("w".into(), 101, 1)));
    let mut all_in_hand = answer(ping, &[100]);
    all_in_hand.capacity = 3;
    schedule.sign(b"w", &all_in_hand, now);
    assert_eq!(schedule.counts().working, 2);
    let ping = schedule.asked(slot, now);
    let mut one_is_missing = answer(ping, &[101]);
    one_is_missing.capacity = 3;
    schedule.sign(b"w", &one_is_missing, now);
    let counts = schedule.counts();
    assert_eq!((counts.working, counts.queued, counts.retried), (1, 1, 1));
    assert_eq!(next(&mut schedule, now), Some(("w".into(), 102, 0)));
    // The answer to the lost number is late, whatever it says.
    assert_eq!(reply(&mut schedule, b"w", 100, now), None);
    assert_eq!(reply(&mut schedule, b"w", 102, now), Some(0));
}

#[test]
fn a_worker_comes_back_with_what_it_had_before_it_was_given_up() {
    let begin = Instant::now();
    let mut schedule: Schedule<u64> = Schedule::new(LIMITS, 100);
    schedule.sign(b"w", &sign(Level::Ours, 1), begin);
    schedule.submit(job(0, false), begin);
    next(&mut schedule, begin).unwrap();
    let mut now = begin;
    while schedule.counts().workers > 0 {
        now += HEARTBEAT / 10;
        schedule.tick(now);
    }
    assert_eq!(ended(&mut schedule), [(0, Why::Lost)]);
    // It works on what is lost still: nothing for it until it is done.
    let asked = schedule.pings;
    schedule.sign(b"w", &answer(asked, &[100]), now);
    schedule.submit(job(1, false), now);
    assert_eq!(next(&mut schedule, now), None);
    assert_eq!(reply(&mut schedule, b"w", 100, now), None);
    assert_eq!(next(&mut schedule, now), Some(("w".into(), 101, 1)));
    // Answers to questions of that time, and of another broker, tell nothing about what it has got since.
    schedule.sign(b"w", &answer(asked, &[]), now);
    schedule.sign(b"w", &answer(asked + 1000, &[]), now);
    assert_eq!(schedule.counts().working, 1);
}

#[test]
fn a_worker_of_2_2_0_that_says_it_has_time_without_having_answered_gets_another() {
    let begin = Instant::now();
    let mut schedule: Schedule<u64> = Schedule::new(LIMITS, 0);
    schedule.sign(b"w", &sign(Level::Typed, 1), begin);
    for number in 0..2 {
        schedule.submit(job(number, false), begin);
    }
    next(&mut schedule, begin).unwrap();
    // It crossed the request.
    schedule.sign(b"w", &sign(Level::Typed, 1), begin + HEARTBEAT / 10);
    assert_eq!(next(&mut schedule, begin), None);
    schedule.sign(b"w", &sign(Level::Typed, 1), begin + HEARTBEAT * 3 / 2);
    assert_eq!(next(&mut schedule, begin).unwrap().2, 1);
    let job = schedule.answered(b"w", None, || Level::Typed, |number| *number == 0, begin);
    assert_eq!(job.unwrap().body, 0);
}

#[test]
fn a_request_that_kills_its_workers_ends() {
    let now = Instant::now();
    let mut schedule: Schedule<u64> = Schedule::new(LIMITS, 0);
    schedule.submit(job(0, true), now);
    for round in 0..MOST_LOSSES {
        let name = round.to_be_bytes();
        schedule.sign(&name, &sign(Level::Ours, 1), now);
        assert!(next(&mut schedule, now).is_some(), "{round}");
        schedule.unreachable(&name, now);
    }
    assert_eq!(ended(&mut schedule), [(0, Why::Lost)]);
    assert_eq!(schedule.counts().retried, u64::from(MOST_LOSSES) - 1);
}

#[test]
fn what_was_lost_goes_only_to_a_worker_that_was_heard_of_since() {
    let begin = Instant::now();
    let mut schedule: Schedule<u64> = Schedule::new(LIMITS, 0);
    for name in ["dead", "dead, too", "alive"] {
        schedule.sign(name.as_bytes(), &sign(Level::Ours, 1), begin);
    }
    schedule.submit(job(0, true), begin);
    assert_eq!(next(&mut schedule, begin).unwrap().0, "dead");
    let later = begin + HEARTBEAT / 10;
    schedule.unreachable(b"dead", later);
    assert!(schedule.take_ask_all() && !schedule.take_ask_all());
    assert_eq!(next(&mut schedule, later), None);
    // It holds up nobody else.
    schedule.submit(job(1, true), later);
    assert_eq!(next(&mut schedule, later).unwrap().0, "dead, too");
    schedule.sign(b"alive", &answer(1, &[]), later);
    let (name, tag, number) = next(&mut schedule, later).unwrap();
    assert_eq!((name.as_str(), number), ("alive", 0));
    assert_eq!(reply(&mut schedule, b"alive", tag, later), Some(0));
}

#[test]
fn what_may_not_be_repeated_waits_for_its_worker_to_come_back() {
    let begin = Instant::now();
    let mut schedule: Schedule<u64> = Schedule::new(LIMITS, 0);
    schedule.sign(b"w", &sign(Level::Ours, 2), begin);
    schedule.submit(job(0, false), begin);
    schedule.submit(job(1, true), begin);
    let (_, tag, _) = next(&mut schedule, begin).unwrap();
    next(&mut schedule, begin).unwrap();
    schedule.unreachable(b"w", begin);
    let counts = schedule.counts();
    assert_eq!((counts.workers, counts.working, counts.queued), (0, 1, 1), "{counts:?}");
    assert_eq!(next(&mut schedule, begin), None);
    // A question that arrives alone proves nothing, nor does an answer that may be of the time before.
    schedule.reached(b"w");
    assert_eq!(schedule.counts().workers, 0);
    assert!(schedule.take_ask_all());
    assert_eq!(reply(&mut schedule, b"w", tag, begin + HEARTBEAT), Some(0));
    assert_eq!(schedule.counts().workers, 0);
    assert!(schedule.take_ask_all());
    schedule.reached(b"w");
    assert_eq!(schedule.counts().workers, 1);
    assert_eq!(next(&mut schedule, begin + HEARTBEAT).unwrap().2, 1);
}

#[test]
fn a_broker_that_was_stopped_itself_gives_its_workers_time() {
    let begin = Instant::now();
    let mut schedule: Schedule<u64> = Schedule::new(LIMITS, 0);
    schedule.sign(b"ours", &sign(Level::Ours, 1), begin);
    schedule.sign(b"old", &sign(Level::Bytes, 1), begin);
    for number in 0..2 {
        schedule.submit(job(number, false), begin);
        next(&mut schedule, begin).unwrap();
    }
    schedule.tick(begin + 10 * BUSY_LIMIT);
    let counts = schedule.counts();
    assert_eq!((counts.workers, counts.working), (2, 2), "{counts:?}");
}

#[test]
fn there_is_an_end_to_what_is_taken_in() {
    let now = Instant::now();
    let mut schedule: Schedule<u64> = Schedule::new(LIMITS, 0);
    for number in 0..10 {
        schedule.submit(job(number, false), now);
    }
    assert_eq!(ended(&mut schedule), [(8, Why::Refused), (9, Why::Refused)]);
    let mut schedule: Schedule<u64> = Schedule::new(LIMITS, 0);
    let large = |size| Job { size, ..job(0, true) };
    schedule.sign(b"w", &sign(Level::Ours, 1), now);
    schedule.submit(large(600), now);
    let (_, tag, _) = next(&mut schedule, now).unwrap();
    schedule.submit(large(500), now);
    assert_eq!(
        ended(&mut schedule),
        [(0, Why::Refused)],
        "what may be repeated is kept"
    );
    schedule.keeps(tag, 100);
    schedule.submit(large(900), now);
    assert_eq!(ended(&mut schedule), []);
}

/// Workers that die, hang, come back, lose what was on its way and answer late; requests of all sorts: each request ends
/// exactly once, no worker has more than it takes, and nothing is left behind.
#[test]
fn every_request_ends_exactly_once_in_a_million_steps() {
    const STEPS: u64 = if cfg!(debug_assertions) { 200_000 } else { 1_000_000 };
    let mut random = Random::new(0x9E37_79B9_7F4A_7C15);
    let mut now = Instant::now();
    let mut schedule: Schedule<u64> = Schedule::new(LIMITS, u64::MAX - 1000);
    // What each worker has, as far as the world knows.
    let mut world: BTreeMap<u8, (Level, usize, Vec<u64>)> = BTreeMap::new();
    let mut open = std::collections::BTreeSet::new();
    let mut numbers = 0;
    for _ in 0..STEPS {
        now += Duration::from_millis(random.below(120));
        let name = random.below(12) as u8;
        match random.below(10) {
            0..=2 => {
                numbers += 1;
                open.insert(numbers);
                let mut job = job(numbers, random.below(2) == 0);
                job.size = 1 + random.below(200) as usize;
                job.expires = (random.below(3) == 0).then(|| now + Duration::from_millis(random.below(3000)));
                schedule.submit(job, now);
            }
            3..=4 => {
                let new = [Level::Ours, Level::Ours, Level::Typed, Level::Bytes][usize::from(name % 4)];
                let (level, capacity, in_hand) =
                    world
                        .entry(name)
                        .or_insert((new, 1 + usize::from(name % 3), Vec::new()));
                let mut sign = sign(*level, *capacity);
                sign.in_hand.clone_from(in_hand);
                sign.ping = (random.below(2) == 0 && *level == Level::Ours).then(|| schedule.pings - random.below(3));
                sign.leaving = *level == Level::Ours && random.below(20) == 0;
                schedule.sign(&[name], &sign, now);
            }
            5..=6 => {
                let Some((level, _, in_hand)) = world.get_mut(&name) else {
                    continue;
                };
                if in_hand.is_empty() {
                    continue;
                }
                let tag = in_hand.remove(random.below(in_hand.len() as u64) as usize);
                let told = (*level == Level::Ours).then_some(tag);
                if let Some(job) = schedule.answered(&[name], told, || *level, |_| true, now) {
                    assert!(open.remove(&job.body), "{} ended twice", job.body);
                }
            }
            7 => {
                if random.below(4) == 0 {
                    world.remove(&name);
                    schedule.unreachable(&[name], now);
                } else {
                    schedule.reached(&[name]);
                }
            }
            8 => {
                schedule.tick(now);
            }
            _ => {
                if let Some((_, _, in_hand)) = world.get_mut(&name) {
                    // What was on its way is lost.
                    in_hand.pop();
                }
            }
        }
        while let Some((tag, _, worker)) = schedule.next(now) {
            let (name, load, capacity) = (worker.name[0], worker.load(), worker.capacity);
            assert!(load <= capacity && worker.is_here() && !worker.leaving);
            match (world.get_mut(&name), random.below(20)) {
                (None, _) => schedule.not_sent(tag, true, now),
                (_, 0) => schedule.not_sent(tag, false, now),
                (Some((_, _, in_hand)), _) => in_hand.push(tag),
            }
        }
        for (number, _) in ended(&mut schedule) {
            assert!(open.remove(&number), "{number} ended twice");
        }
        let counts = schedule.counts();
        assert_eq!(open.len() as u64, counts.queued + counts.working);
        assert!(counts.queued <= LIMITS.queue as u64 + counts.retried);
        assert!(schedule.bytes <= LIMITS.bytes);
    }
    let counts = schedule.counts();
    for (count, what) in [
        (counts.served, "served"),
        (counts.retried, "retried"),
        (counts.refused, "refused"),
        (counts.failed, "failed"),
        (counts.expired, "expired"),
        (counts.late, "late"),
    ] {
        assert!(
            count > STEPS / 5000,
            "{count} {what}: the test does not try that any more"
        );
    }
    schedule.close();
    for (number, _) in ended(&mut schedule) {
        assert!(open.remove(&number), "{number} ended twice");
    }
    assert!(open.is_empty(), "{open:?} never ended");
    assert_eq!(schedule.bytes, 0);
}
