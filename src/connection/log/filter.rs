//! The meaning of DIVIDERE_LOG: which levels of which targets go to stderr.

use super::Level;

/// Levels by target. The rule with the longest matching target decides; the general level,
/// where no rule matches.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    general: Option<Level>,
    rules: Vec<(String, Option<Level>)>,
}

impl Filter {
    /// Lets nothing through.
    pub(super) fn off() -> Filter {
        Filter::default()
    }

    /// Reads the value of the variable. Parts that cannot be understood are left out, and told
    /// of in the second value.
    pub(super) fn parse(value: &str) -> (Filter, Option<String>) {
        let mut filter = Filter::off();
        let mut complaint = None;
        for part in value.split(',').map(str::trim) {
            if part.is_empty() {
                continue;
            }
            let (target, name) = match part.split_once('=') {
                Some((target, name)) => (target.trim(), name.trim()),
                None => ("", part),
            };
            let level = match parse_level(name) {
                Some(level) => level,
                None => {
                    complaint.get_or_insert_with(|| {
                        format!(
                            "DIVIDERE_LOG: '{name}' is no level; use off, error, warning, info, \
                             debug or trace, or target=level, separated by commas"
                        )
                    });
                    continue;
                }
            };
            if target.is_empty() {
                filter.general = level;
            } else {
                filter.rules.push((target.to_owned(), level));
            }
        }
        (filter, complaint)
    }

    pub(super) fn allows(&self, level: Level, target: &str) -> bool {
        let rule = self
            .rules
            .iter()
            .filter(|(prefix, _)| covers(prefix, target))
            .max_by_key(|(prefix, _)| prefix.len());
        let limit = rule.map_or(self.general, |(_, limit)| *limit);
        limit.is_some_and(|limit| level <= limit)
    }

    /// The least important level that any target may say; None when all are silent.
    pub(super) fn ceiling(&self) -> Option<Level> {
        let rules = self.rules.iter().filter_map(|(_, level)| *level).max();
        self.general.max(rules)
    }
}

/// Some(None) is `off`; None is not a level at all.
fn parse_level(name: &str) -> Option<Option<Level>> {
    if name.eq_ignore_ascii_case("off") {
        return Some(None);
    }
    if name.eq_ignore_ascii_case("warn") {
        return Some(Some(Level::Warning));
    }
    Level::from_name(name).map(Some)
}

/// Whether `target` is `prefix`, or below it: `connection` covers `connection.socket`.
fn covers(prefix: &str, target: &str) -> bool {
    match target.strip_prefix(prefix) {
        Some(rest) => rest.is_empty() || rest.starts_with(['.', ':', '/']),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Filter {
        let (filter, complaint) = Filter::parse(value);
        assert_eq!(complaint, None, "{value}");
        filter
    }

    #[test]
    fn silent_unless_asked() {
        for value in ["", " ", ",", "off", "OFF"] {
            let filter = parsed(value);
            assert_eq!(filter.ceiling(), None, "{value}");
            assert!(!filter.allows(Level::Error, "connection"), "{value}");
        }
    }

    #[test]
    fn a_level_lets_more_important_ones_through() {
        for value in ["warning", "warn", "Warning"] {
            let filter = parsed(value);
            assert_eq!(filter.ceiling(), Some(Level::Warning));
            assert!(filter.allows(Level::Error, "a"));
            assert!(filter.allows(Level::Warning, "a"));
            assert!(!filter.allows(Level::Info, "a"));
        }
    }

    #[test]
    fn the_longest_target_decides() {
        let filter = parsed("warning, connection=debug, connection.socket = error, events=off");
        assert_eq!(filter.ceiling(), Some(Level::Debug));
        assert!(filter.allows(Level::Debug, "connection"));
        assert!(filter.allows(Level::Debug, "connection.monitor"));
        assert!(!filter.allows(Level::Warning, "connection.socket"));
        assert!(!filter.allows(Level::Info, "connections"));
        assert!(!filter.allows(Level::Error, "events"));
        assert!(filter.allows(Level::Warning, "registry"));
    }

    #[test]
    fn a_mistake_is_told_and_the_rest_still_counts() {
        let (filter, complaint) = Filter::parse("loud,connection=info,x=");
        assert!(complaint.expect("a complaint").contains("'loud'"));
        assert!(filter.allows(Level::Info, "connection"));
        assert!(!filter.allows(Level::Error, "other"));
    }
}
