//! What all commands have in common: help, exit codes, options, completions, colours.

use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::Stdio;

use crate::process::{command, run, words};

const COMMANDS: [&str; 12] = [
    "registry",
    "ls",
    "lookup",
    "watch",
    "pub",
    "sub",
    "call",
    "proxy",
    "broker",
    "perf",
    "keygen",
    "completions",
];

#[test]
fn help_lists_every_command_and_each_has_an_example() {
    let all = run(&["--help"]).ok();
    assert!(all.contains("Exit codes: 0"), "{all}");
    assert_eq!(
        all.lines().filter(|line| line.starts_with("  ")).count(),
        COMMANDS.len() + "help -h -V".split(' ').count()
    );
    for name in COMMANDS {
        assert!(all.contains(&format!("\n  {name} ")), "{name}");
        let help = run(&[name, "--help"]).ok();
        assert!(help.contains(&format!("\n  dividere {name} ")), "{help}");
        assert!(!help.contains('\x1b'), "colours in a pipe: {help:?}");
        assert_eq!(run(&["help", name]).ok(), help);
    }
    assert_eq!(
        run(&["--version"]).ok(),
        format!("dividere {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_command_line_that_makes_no_sense_ends_with_2() {
    let wrong = [
        ("", "Usage"),
        ("nonsense", "nonsense"),
        ("pub", "ENDPOINT"),
        ("pub tcp://127.0.0.1:*", "TYPE"),
        ("pub nonsense --bytes x", "ENDPOINT"),
        ("pub tcp://127.0.0.1:99999 --bytes x", "ENDPOINT"),
        ("pub tcp://127.0.0.1:* --bytes x --hex 00", "cannot be used with"),
        ("pub tcp://127.0.0.1:* --bytes - --count 2", "--count"),
        ("sub tcp://127.0.0.1:1 --timeout 5", "5s"),
        ("sub tcp://127.0.0.1:1 --option linger_ms", "NAME=VALUE"),
        ("sub tcp://127.0.0.1:1 --option linger=1", "no such option"),
        ("sub tcp://127.0.0.1:1 --option linger_ms=-1", "linger_ms = -1"),
        ("sub tcp://127.0.0.1:1 --option linger_ms=soon", "linger_ms"),
        ("sub tcp://127.0.0.1:1 --option full_queue=never", "full_queue"),
        ("sub tcp://127.0.0.1:1 --option io_threads=2", "io_threads"),
        ("sub tcp://127.0.0.1:1 --hwm=-1", "send_high_water_mark = -1"),
        ("perf --duration 0", "--duration"),
        ("perf --size many", "--size"),
        ("perf --serve tcp://127.0.0.1:* --size 5", "--serve"),
        ("perf --serve inproc://x", "tcp"),
        ("watch name --prefix p", "--prefix"),
        ("registry nonsense", "ENDPOINT"),
        ("registry tcp://127.0.0.1:* --publish nonsense", "nonsense"),
        ("broker tcp://127.0.0.1:*", "BACK"),
        ("broker tcp://127.0.0.1:* tcp://127.0.0.1:* --statistics 0", "too often"),
        ("keygen --force", "NAME"),
        ("completions csh", "csh"),
    ];
    for (line, text) in wrong {
        let finished = run(&words(line));
        assert_eq!(finished.code, Some(2), "{line}: {finished:?}");
        assert!(finished.err.contains(text), "{line}: no '{text}' in {finished:?}");
        assert_eq!(finished.out, "", "{line}");
    }
}

#[test]
fn options_of_the_library_are_taken_by_their_names() {
    let line = "sub tcp://127.0.0.1:1 --timeout 0 --hwm 5 --linger 10ms -o max_message_size=100 -o identity=me \
                -o full_queue=fail -o ipv6=0";
    run(&words(line)).failed(3, "TIMEOUT");
}

#[test]
fn connections_are_told_of_when_asked_for() {
    let publisher = dividere::Publisher::new("tcp://127.0.0.1:*", &dividere::Options::new()).unwrap();
    let endpoint = dividere::Channel::last_endpoint(&publisher).unwrap();
    let mut running = crate::process::Running::start(&["sub", &endpoint, "--verbose"]);
    publisher.wait_for_subscribers(None, 1, crate::common::soon()).unwrap();
    // Told on the other side by the same connection: it may take a moment.
    running.error_line_with("connected");
    running.interrupt().ok();
}

#[test]
fn completions_know_the_commands_of_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]).ok();
        for name in COMMANDS {
            assert!(script.contains(name), "{shell}: {name}");
        }
        assert!(script.contains("curve-server"), "{shell}");
    }
    let bash = run(&["completions", "bash"]).ok();
    let mut check = std::process::Command::new("bash")
        .args(["-n", "/dev/stdin"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut check.stdin.take().unwrap(), bash.as_bytes()).unwrap();
    assert!(check.wait().unwrap().success());
}

/// What a command shows on a terminal.
fn on_a_terminal(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let (mut main, mut end) = (0, 0);
    // SAFETY: both outputs live through the call; name, settings and size may be left out.
    let made = unsafe {
        libc::openpty(
            &mut main,
            &mut end,
            std::ptr::null_mut(),
            std::ptr::null(),
            std::ptr::null(),
        )
    };
    assert_eq!(made, 0);
    // SAFETY: just opened, and owned by nobody else.
    let (main, end) = unsafe { (OwnedFd::from_raw_fd(main), OwnedFd::from_raw_fd(end)) };
    let mut child = {
        let mut command = command(arguments);
        command.envs(environment.iter().copied()).stdin(Stdio::null());
        command.stdout(end.try_clone().unwrap()).stderr(end);
        // The terminal's end is closed with the command, or reading would go on for ever.
        command.spawn().unwrap()
    };
    let mut shown = Vec::new();
    // A terminal that nobody holds any more is an error (EIO), and not an end.
    let _ended = std::fs::File::from(main).read_to_end(&mut shown);
    assert!(child.wait().unwrap().success());
    String::from_utf8(shown).unwrap()
}

#[test]
fn colours_are_for_terminals_only_and_never_with_no_color() {
    assert!(on_a_terminal(&["keygen"], &[]).contains("\x1b["));
    assert!(on_a_terminal(&["--help"], &[]).contains("\x1b["));
    for environment in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        assert!(!on_a_terminal(&["keygen"], &[environment]).contains('\x1b'));
        assert!(!on_a_terminal(&["--help"], &[environment]).contains('\x1b'));
    }
    assert!(!run(&["keygen"]).ok().contains('\x1b'));
}

#[test]
fn what_takes_long_tells_how_far_it_is_on_terminals_only() {
    let line = ["perf", "--duration", "600ms", "--only", "round-trip"];
    let shown = on_a_terminal(&line, &[]);
    assert!(shown.contains("\r\x1b[Kround trip, 64 B: "), "{shown:?}");
    // It is taken away for the result.
    let result = shown.rsplit("\x1b[K").next().unwrap();
    assert!(result.contains("us median") && !result.contains("64 B: "), "{shown:?}");
    let finished = run(&line);
    assert_eq!((finished.code, finished.err.as_str()), (Some(0), ""));
}
