//! Writes a line to stderr with one system call. Not through std::io::stderr, whose lock a
//! fork in the middle of a line would leave taken in the child.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Level;

const SECONDS_PER_DAY: u64 = 86_400;

pub(super) fn write_line(level: Level, target: &str, text: &str) {
    let line = format_line(SystemTime::now(), level, target, text);
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        // SAFETY: the pointer and the length are those of a live slice.
        let wrote = unsafe { libc::write(libc::STDERR_FILENO, rest.as_ptr().cast(), rest.len()) };
        match usize::try_from(wrote) {
            Ok(wrote) if wrote > 0 => rest = &rest[wrote..],
            _ if wrote < 0 && interrupted() => {}
            // Stderr is closed or full: there is nobody left to tell.
            _ => return,
        }
    }
}

fn interrupted() -> bool {
    std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted
}

/// `2026-11-21T14:05:09.123Z dividere[4711] warning connection: text`
fn format_line(now: SystemTime, level: Level, target: &str, text: &str) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / SECONDS_PER_DAY, since.as_secs() % SECONDS_PER_DAY);
    let (year, month, day) = civil_date(days);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let mut line = format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}.{:03}Z dividere[{}] {level} ",
        second % 60,
        since.subsec_millis(),
        std::process::id(),
    );
    push_escaped(&mut line, target);
    line.push_str(": ");
    push_escaped(&mut line, text);
    line.push('\n');
    line
}

/// Texts can hold what a peer sent: no line breaks and no terminal sequences from there.
fn push_escaped(line: &mut String, text: &str) {
    for character in text.chars() {
        if character.is_control() {
            // Writing to a String cannot fail.
            let _ = write!(line, "{}", character.escape_default());
        } else {
            line.push(character);
        }
    }
}

/// Year, month and day of a number of days since 1970-01-01.
fn civil_date(mut days: u64) -> (u64, u64, u64) {
    let mut year = 1970;
    while days >= days_of_year(year) {
        days -= days_of_year(year);
        year += 1;
    }
    let mut month = 1;
    while days >= days_of_month(year, month) {
        days -= days_of_month(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

fn is_leap(year: u64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_year(year: u64) -> u64 {
    365 + u64::from(is_leap(year))
}

fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_line_has_time_process_level_and_target_and_no_control_characters() {
        let now = UNIX_EPOCH + Duration::from_millis(1_709_210_709_045);
        let line = format_line(now, Level::Warning, "connection", "a\nb\u{1b}[31m\u{e9}");
        let process = std::process::id();
        assert_eq!(
            line,
            format!(
                "2024-02-29T12:45:09.045Z dividere[{process}] warning connection: \
                 a\\nb\\u{{1b}}[31m\u{e9}\n"
            )
        );
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(civil_date(0), (1970, 1, 1));
        assert_eq!(civil_date(58), (1970, 2, 28));
        assert_eq!(civil_date(59), (1970, 3, 1));
        assert_eq!(civil_date(11_016), (2000, 2, 29));
        assert_eq!(civil_date(20_778), (2026, 11, 21));
        assert_eq!(civil_date(47_540), (2100, 2, 28));
        assert_eq!(civil_date(47_541), (2100, 3, 1));
    }
}
