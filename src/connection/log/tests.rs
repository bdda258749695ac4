//! The callback is one for the process, so these tests take turns, and look only at lines of
//! their own target.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);

fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts how often it is dropped.
struct Token(Arc<AtomicUsize>);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn numbers_and_names_are_found_again() {
    for level in Level::ALL {
        assert_eq!(Level::from_code(level as i32), Some(level));
        assert_eq!(Level::from_name(level.name()), Some(level));
    }
    assert_eq!(Level::from_code(0), None);
    assert_eq!(Level::from_code(6), None);
}

#[test]
fn a_callback_gets_lines_up_to_its_level_and_no_text_is_built_beyond() {
    struct Unwanted;
    impl fmt::Display for Unwanted {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("a text was built that nobody wanted");
        }
    }
    let _turn = turn();
    let (send, lines) = mpsc::channel();
    let callback = move |level: Level, target: &str, text: &str| {
        if target == "test.levels" {
            send.send((level, text.to_owned())).expect("a receiver");
        }
    };
    set_log_callback(Level::Info, Some(Box::new(callback)));
    assert!(enabled(Level::Info));
    log_line!(Error, "test.levels", "one");
    log_line!(Info, "test.levels", "{} and {}", "two", 3);
    if !filter().allows(Level::Debug, "test.levels") {
        log_line!(Debug, "test.levels", "{}", Unwanted);
    }
    set_log_callback(Level::Trace, None);
    log_line!(Error, "test.levels", "after the end");
    let got: Vec<_> = lines.try_iter().collect();
    assert_eq!(
        got,
        [(Level::Error, "one".to_owned()), (Level::Info, "two and 3".to_owned())]
    );
}

#[test]
fn nothing_is_enabled_when_nobody_listens() {
    let _turn = turn();
    set_log_callback(Level::Trace, None);
    let environment = filter().ceiling();
    for level in Level::ALL {
        assert_eq!(enabled(level), Some(level) <= environment, "{level}");
    }
}

#[test]
fn a_replaced_callback_is_dropped_once_and_only_after_its_last_call() {
    let _turn = turn();
    let drops = Arc::new(AtomicUsize::new(0));
    let token = Token(drops.clone());
    let (entered_send, entered) = mpsc::channel();
    let (go, go_receive) = mpsc::channel::<()>();
    let go_receive = Mutex::new(go_receive);
    let callback = move |_: Level, target: &str, _: &str| {
        let _keep = &token;
        if target == "test.replace" {
            entered_send.send(()).expect("a receiver");
            let go = go_receive.lock().expect("not poisoned");
            go.recv_timeout(DEADLINE).expect("a go");
        }
    };
    set_log_callback(Level::Error, Some(Box::new(callback)));
    let caller = std::thread::spawn(|| log_line!(Error, "test.replace", "in"));
    entered.recv_timeout(DEADLINE).expect("the call");
    set_log_callback(Level::Error, None);
    assert_eq!(drops.load(Ordering::SeqCst), 0, "dropped under a call");
    go.send(()).expect("a waiting callback");
    caller.join().expect("no panic");
    assert_eq!(drops.load(Ordering::SeqCst), 1);
}

#[test]
fn a_callback_may_log_and_replace_itself() {
    let _turn = turn();
    let drops = Arc::new(AtomicUsize::new(0));
    let token = Token(drops.clone());
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let callback = move |_: Level, target: &str, _: &str| {
        let _keep = &token;
        if target == "test.itself" {
            counted.fetch_add(1, Ordering::SeqCst);
            log_line!(Error, "test.itself", "from the inside");
            set_log_callback(Level::Error, None);
        }
    };
    set_log_callback(Level::Error, Some(Box::new(callback)));
    log_line!(Error, "test.itself", "first");
    log_line!(Error, "test.itself", "second");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(drops.load(Ordering::SeqCst), 1);
}

#[test]
fn a_panic_in_a_callback_ends_there() {
    let _turn = turn();
    let drops = Arc::new(AtomicUsize::new(0));
    let token = Token(drops.clone());
    let callback = move |_: Level, target: &str, _: &str| {
        let _keep = &token;
        assert_ne!(target, "test.panic", "on purpose");
    };
    set_log_callback(Level::Error, Some(Box::new(callback)));
    log_line!(Error, "test.panic", "one");
    assert!(!INSIDE_CALLBACK.get());
    set_log_callback(Level::Error, None);
    assert_eq!(drops.load(Ordering::SeqCst), 1);
}

#[test]
fn replaced_under_load_every_callback_is_dropped_once_and_slots_are_reused() {
    const LOGGERS: usize = 3;
    const CHANGERS: usize = 2;
    const CHANGES_EACH: usize = 3_000;
    let _turn = turn();
    let drops = Arc::new(AtomicUsize::new(0));
    let calls = Arc::new(AtomicUsize::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let before = sink::slots();
    std::thread::scope(|scope| {
        for _ in 0..LOGGERS {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    log_line!(Error, "test.load", "line");
                }
            });
        }
        let changers: Vec<_> = (0..CHANGERS)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..CHANGES_EACH {
                        let token = Token(drops.clone());
                        let calls = calls.clone();
                        let callback = move |_: Level, _: &str, _: &str| {
                            let _keep = &token;
                            calls.fetch_add(1, Ordering::SeqCst);
                        };
                        set_log_callback(Level::Error, Some(Box::new(callback)));
                    }
                })
            })
            .collect();
        for changer in changers {
            changer.join().expect("no panic");
        }
        // The last callback has to be called, or nothing was tried.
        let deadline = Instant::now() + DEADLINE;
        while calls.load(Ordering::SeqCst) == 0 {
            assert!(Instant::now() < deadline, "no call arrived");
            std::thread::yield_now();
        }
        stop.store(true, Ordering::SeqCst);
    });
    set_log_callback(Level::Error, None);
    assert_eq!(drops.load(Ordering::SeqCst), CHANGERS * CHANGES_EACH);
    // One in force, one on its way in per changer, one kept alive by each logger.
    assert!(sink::slots() - before <= 1 + CHANGERS + LOGGERS);
}

#[test]
fn a_child_forked_while_another_thread_is_inside_a_call_logs_and_replaces() {
    let _turn = turn();
    let (entered_send, entered) = mpsc::channel();
    let (go, go_receive) = mpsc::channel::<()>();
    let go_receive = Mutex::new(go_receive);
    let parent = std::process::id();
    let callback = move |_: Level, target: &str, _: &str| {
        if target == "test.fork" && std::process::id() == parent {
            entered_send.send(()).expect("a receiver");
            let go = go_receive.lock().expect("not poisoned");
            go.recv_timeout(DEADLINE).expect("a go");
        }
    };
    set_log_callback(Level::Error, Some(Box::new(callback)));
    let caller = std::thread::spawn(|| log_line!(Error, "test.fork", "in"));
    entered.recv_timeout(DEADLINE).expect("the call");

    // SAFETY: the child only logs, changes the callback and leaves with _exit.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork failed");
    if child == 0 {
        log_line!(Error, "test.fork", "in the child");
        set_log_callback(Level::Error, Some(Box::new(|_, _, _| ())));
        log_line!(Error, "test.fork", "in the child");
        set_log_callback(Level::Error, None);
        // SAFETY: ends the child without running anything of the parent's.
        unsafe { libc::_exit(7) };
    }
    let status = wait_for(child);
    go.send(()).expect("a waiting callback");
    caller.join().expect("no panic");
    set_log_callback(Level::Error, None);
    assert_eq!(status, Some(7), "the child hung or failed");
}

/// The exit status of the child; None when it had to be ended at the deadline.
fn wait_for(child: libc::pid_t) -> Option<i32> {
    let deadline = Instant::now() + DEADLINE;
    let mut status = 0;
    loop {
        // SAFETY: the child is ours, and `status` lives.
        let done = unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) };
        if done == child {
            return Some(libc::WEXITSTATUS(status)).filter(|_| libc::WIFEXITED(status));
        }
        if Instant::now() > deadline {
            // SAFETY: the child is ours and not reaped yet.
            unsafe {
                libc::kill(child, libc::SIGKILL);
                libc::waitpid(child, &mut status, 0);
            }
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What a process of its own writes to stderr, with this value of DIVIDERE_LOG.
fn stderr_with(variable: Option<&str>) -> String {
    let mut child = std::process::Command::new(std::env::current_exe().expect("a path"));
    child.args([
        "--exact",
        "connection::log::tests::says_a_line_of_each_level",
        "--ignored",
    ]);
    match variable {
        Some(value) => child.env("DIVIDERE_LOG", value),
        None => child.env_remove("DIVIDERE_LOG"),
    };
    let output = child.output().expect("the child runs");
    assert!(output.status.success(), "the child failed");
    let ran = String::from_utf8_lossy(&output.stdout);
    assert!(ran.contains("1 passed"), "the child ran something else: {ran}");
    String::from_utf8(output.stderr).expect("UTF-8")
}

#[test]
#[ignore = "run in a process of its own by the next test"]
fn says_a_line_of_each_level() {
    log_line!(Error, "test.stderr", "an {}", "error");
    log_line!(Info, "test.stderr", "some information");
    log_line!(Trace, "test.other", "a detail");
}

#[test]
fn stderr_gets_what_the_environment_asks_for_and_nothing_unasked() {
    for silent in [None, Some("off"), Some("test.else=trace")] {
        assert_eq!(stderr_with(silent), "", "{silent:?}");
    }
    let lines = stderr_with(Some("info"));
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert!(lines.contains("] error test.stderr: an error\n"), "{lines}");
    assert!(lines.ends_with("] info test.stderr: some information\n"), "{lines}");
    let lines = stderr_with(Some("test.stderr=error,test.other=trace"));
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert!(lines.ends_with("] trace test.other: a detail\n"), "{lines}");
    let lines = stderr_with(Some("loud"));
    assert_eq!(lines.lines().count(), 1, "{lines}");
    assert!(lines.contains("'loud' is no level"), "{lines}");
}
