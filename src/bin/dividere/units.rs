//! Times as people write them, and the time of day as machines do.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long to wait: a time with its unit, or for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Never,
    After(Duration),
}

impl Limit {
    /// As dividere takes timeouts: negative for ever. A fraction of a millisecond is a whole one.
    pub fn as_ms(self) -> i64 {
        match self {
            Limit::Never => -1,
            Limit::After(time) => i64::try_from(time.as_micros().div_ceil(1000)).unwrap_or(i64::MAX),
        }
    }

    pub fn deadline(self) -> dividere::Deadline {
        dividere::Deadline::from_ms(self.as_ms())
    }
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Limit, String> {
        match text {
            "never" => Ok(Limit::Never),
            _ => duration(text).map(Limit::After).map_err(|error| error + ", or never"),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Never => f.write_str("never"),
            Limit::After(time) => write!(f, "{time:?}"),
        }
    }
}

/// A number and its unit: 500ms, 1.5s, 2m, 1h; 0 needs none.
pub fn duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, f64); 5] = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let wanted = || "a time is a number and a unit, as 500ms, 5s, 2m or 1h".to_owned();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .ok_or_else(wanted)?;
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| wanted())?;
    let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wanted)?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| "the time is too long".to_owned())
}

/// The time of day in UTC, to the microsecond (RFC 3339).
pub fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    rfc3339(since)
}

fn rfc3339(since_1970: Duration) -> String {
    const DAY_S: u64 = 24 * 3600;
    let seconds = since_1970.as_secs();
    let (year, month, day) = date(seconds / DAY_S);
    let of_day = seconds % DAY_S;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:06}Z",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60,
        since_1970.subsec_micros()
    )
}

/// The Gregorian date that many days after 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    // Years that begin in March put the leap day at the end; 400 of them have 146097 days.
    const DAYS_TO_1970: u64 = 719_468;
    const DAYS_IN_400_YEARS: u64 = 146_097;
    let days = days + DAYS_TO_1970;
    let (era, day_of_era) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        for wrong in [
            "",
            "5",
            "s",
            "5 s",
            "-1s",
            "1.2.3s",
            "5sec",
            "1e9s",
            "99999999999999999999h",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!("never".parse(), Ok(Limit::Never));
        assert_eq!(Limit::Never.as_ms(), -1);
        assert_eq!("1us".parse::<Limit>().unwrap().as_ms(), 1);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let at = |seconds| rfc3339(Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(at(951_782_399), "2000-02-28T23:59:59.000000Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.000000Z");
        assert_eq!(at(951_868_800), "2000-03-01T00:00:00.000000Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00.000000Z");
        assert_eq!(at(1_704_067_199), "2023-12-31T23:59:59.000000Z");
        assert_eq!(rfc3339(Duration::from_micros(1_000_042)), "1970-01-01T00:00:01.000042Z");
    }
}
