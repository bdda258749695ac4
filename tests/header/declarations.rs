//! Reads what a header declares, as cbindgen lays it out: no C parser, but one
//! that panics at what it does not know instead of passing over it.

use std::collections::{BTreeMap, BTreeSet};

/// What a header declares.
#[derive(Default)]
pub struct Declarations {
    pub functions: BTreeSet<String>,
    pub types: BTreeSet<String>,
    /// Enumerators and macros, with their values where those are integers.
    pub constants: BTreeMap<String, Option<i64>>,
    /// Names of functions, types, fields and constants that have no comment.
    pub undocumented: BTreeSet<String>,
}

impl Declarations {
    pub fn parse(header: &str) -> Self {
        let mut found = Declarations::default();
        let mut documented = false;
        // The declaration that is being put together from its lines.
        let mut pending = String::new();
        // Inside of which struct or enum, if any.
        let mut body: Option<Body> = None;
        let mut lines = header.lines();
        while let Some(line) = lines.next() {
            let line = line.trim();
            if line.starts_with("/*") {
                let mut last = line;
                while !last.ends_with("*/") {
                    last = lines.next().expect("a comment ends").trim();
                }
                documented = true;
                continue;
            }
            if line.is_empty() {
                // A comment belongs to what it stands right above of.
                documented = false;
                continue;
            }
            if line.starts_with('#') {
                // Conditional lines stand within declarations, too.
                if found.directive(line, documented) {
                    documented = false;
                }
                continue;
            }
            if let Some(inside) = &body {
                if line.starts_with('}') {
                    body = None;
                } else if line == "{" || line.starts_with(": ") {
                    continue;
                } else {
                    found.member(inside, line, documented);
                }
                documented = false;
                continue;
            }
            if line == "extern \"C\" {" || line.starts_with('}') {
                documented = false;
                continue;
            }
            if !pending.is_empty() {
                pending.push(' ');
            }
            pending.push_str(line);
            let opens = pending.ends_with('{') || is_enum_head(&pending);
            if opens || pending.ends_with(';') {
                body = found.declaration(&pending, opens, documented);
                documented = false;
                pending.clear();
            }
        }
        assert!(pending.is_empty(), "not understood: {pending}");
        found
    }

    fn note(&mut self, name: &str, documented: bool) {
        if !documented {
            self.undocumented.insert(name.to_owned());
        }
    }

    /// Whether the line defines something.
    fn directive(&mut self, line: &str, documented: bool) -> bool {
        let Some(definition) = line.strip_prefix("#define ") else {
            return false;
        };
        let (name, value) = definition.split_once(' ').unwrap_or((definition, ""));
        if name == "DIVIDERE_H" {
            return true;
        }
        self.note(name, documented);
        self.constants.insert(name.to_owned(), integer(value));
        true
    }

    fn declaration(&mut self, text: &str, opens: bool, documented: bool) -> Option<Body> {
        let words: Vec<&str> = text.trim_end_matches(['{', ';']).split_whitespace().collect();
        let name = if let Some(open) = text.find('(') {
            // A function, or the type of one: typedef void (*name)(...).
            let callback = text.starts_with("typedef");
            let before = match callback {
                true => text[open + 1..].split(')').next().unwrap_or_default(),
                false => &text[..open],
            };
            let name = last_name(before);
            let names = if callback { &mut self.types } else { &mut self.functions };
            assert!(names.insert(name.clone()), "declared twice: {name}");
            name
        } else if opens {
            let kind = words.iter().position(|word| ["struct", "enum", "union"].contains(word));
            let kind = kind.unwrap_or_else(|| panic!("not understood: {text}"));
            let name = words
                .get(kind + 1)
                .unwrap_or_else(|| panic!("a type without a name: {text}"));
            self.types.insert((*name).to_owned());
            (*name).to_owned()
        } else {
            assert!(words.first() == Some(&"typedef"), "not understood: {text}");
            let name = last_name(text.trim_end_matches(';'));
            let repeats_tag = !self.types.insert(name.clone());
            // After an enum cbindgen adds the typedef of its integer type.
            if repeats_tag {
                return None;
            }
            name
        };
        self.note(&name, documented);
        opens.then(|| Body {
            is_enum: words.contains(&"enum"),
            name,
        })
    }

    fn member(&mut self, body: &Body, line: &str, documented: bool) {
        if body.is_enum {
            let line = line.trim_end_matches(',');
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            let name = name.trim();
            self.note(name, documented);
            self.constants.insert(name.to_owned(), integer(value));
        } else {
            let field = match line.find("(*") {
                Some(open) => last_name(line[open + 2..].split(')').next().unwrap_or_default()),
                None => last_name(line.split(['[', ';']).next().unwrap_or_default()),
            };
            self.note(&format!("{}.{field}", body.name), documented);
        }
    }
}

struct Body {
    is_enum: bool,
    name: String,
}

/// cbindgen writes `enum name` alone on a line, and the integer type and the
/// brace below, for C and C++ apart.
fn is_enum_head(text: &str) -> bool {
    let mut words = text.split_whitespace();
    words.next() == Some("enum") && words.next().is_some() && words.next().is_none()
}

fn last_name(text: &str) -> String {
    text.trim_end()
        .rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .next()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| panic!("no name in: {text}"))
        .to_owned()
}

fn integer(text: &str) -> Option<i64> {
    text.trim().trim_matches(['(', ')']).parse().ok()
}
