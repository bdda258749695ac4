//! `keygen`, and the keys of the other commands.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use dividere::{PublicKey, SecretKey};

use crate::process::{run, words, Running};

/// A folder of its own, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        // A path to server.pub has as many characters as a key: it must not be taken for one.
        let temporary = std::env::temp_dir();
        let process = std::process::id().to_string();
        let length = temporary.as_os_str().len() + name.len() + process.len() + "/--/server.pub".len();
        let filled = "x".repeat(40usize.saturating_sub(length));
        let folder = temporary.join(format!("{name}-{process}-{filled}"));
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// Makes the pair `name`, and gives its public key.
    fn pair(&self, name: &str) -> String {
        let made = run(&["keygen", &self.file(name), "--json"]).json();
        made[0]["public"].as_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_pair_is_printed_whose_halves_belong_together() {
    let pair = run(&["keygen", "--json"]).json().remove(0);
    let secret = SecretKey::from_z85(pair["secret"].as_str().unwrap()).unwrap();
    assert_eq!(secret.public().unwrap().to_z85(), pair["public"].as_str().unwrap());
    let out = run(&["keygen"]).ok();
    let lines: Vec<&str> = out.lines().collect();
    let public = PublicKey::from_z85(lines[0].strip_prefix("public ").unwrap()).unwrap();
    let secret = SecretKey::from_z85(lines[1].strip_prefix("secret ").unwrap()).unwrap();
    assert_eq!(secret.public().unwrap(), public);
}

#[test]
fn a_secret_key_is_for_its_owner_only_and_is_not_overwritten() {
    let folder = Folder::new("files");
    let public = folder.pair("one");
    let mode = |name: &str| std::fs::metadata(folder.file(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("one.key"), 0o600);
    let secret = std::fs::read_to_string(folder.file("one.key")).unwrap();
    assert_eq!(std::fs::read_to_string(folder.file("one.pub")).unwrap().trim(), public);
    assert_eq!(
        run(&["keygen", "--public-of", &folder.file("one.key")]).ok().trim(),
        public
    );

    run(&["keygen", &folder.file("one")]).failed(1, "--force");
    assert_eq!(std::fs::read_to_string(folder.file("one.key")).unwrap(), secret);
    std::fs::set_permissions(folder.file("one.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let out = run(&["keygen", &folder.file("one"), "--force"]).ok();
    assert!(!out.contains(&public), "{out}");
    assert_ne!(std::fs::read_to_string(folder.file("one.key")).unwrap(), secret);
    assert_eq!(mode("one.key"), 0o600);
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 2);

    run(&["keygen", &folder.file("no/where")]).failed(1, "cannot write");
    run(&["keygen", "--public-of", &folder.file("one.pub.no")]).failed(1, "cannot read");
}

#[test]
fn encrypted_commands_talk_and_strangers_are_refused() {
    let folder = Folder::new("curve");
    let (server, _client, _stranger) = (folder.pair("server"), folder.pair("client"), folder.pair("stranger"));
    let (server_key, client_pub) = (folder.file("server.key"), folder.file("client.pub"));
    let line = "pub tcp://127.0.0.1:* --bytes secret --timeout never --curve-key";
    let arguments = [&words(line)[..], &[&server_key, "--curve-allow", &client_pub]].concat();
    let mut publishing = Running::start(&arguments);
    let endpoint = publishing.bound();

    // Once with the server's key as it is, once from a file.
    let keys = |who: &str| folder.file(&format!("{who}.key"));
    let mut stranger = Running::start(&[
        "sub",
        &endpoint,
        "--timeout",
        "never",
        "--curve-key",
        &keys("stranger"),
        "--curve-server",
        &server,
    ]);
    stranger.error_line_with("handshake failed");
    let server_pub = folder.file("server.pub");
    let known = [
        "--curve-key",
        &keys("client"),
        "--curve-server",
        &server_pub,
        "-n1",
        "--text",
    ];
    let out = run(&[&["sub", &endpoint], &known[..]].concat()).ok();
    assert!(out.ends_with("Z secret\n"), "{out}");
    publishing.finish().ok();
    assert_eq!(stranger.interrupt().ok(), "");
}

#[test]
fn keys_that_do_not_go_together_are_refused() {
    let folder = Folder::new("wrong");
    folder.pair("one");
    let key = folder.file("one.key");
    let sub = |more: &[&str]| run(&[&["sub", "tcp://127.0.0.1:1"], more].concat());
    sub(&["--curve-key", &key]).failed(2, "--curve-server");
    sub(&["--curve-server", "x"]).failed(2, "--curve-key");
    sub(&["--curve-key", &key, "--curve-server", "short"]).failed(2, "neither a file nor a public key");
    sub(&["--curve-key", &folder.file("none"), "--curve-allow-any"]).failed(1, "cannot read the key");
    let both = [
        "--curve-key",
        &key,
        "--curve-allow-any",
        "--curve-allow",
        &folder.file("one.pub"),
    ];
    sub(&both).failed(2, "--curve-allow");
    // A secret key is no public one by accident; a wrong file is told by its name.
    let empty = folder.file("empty");
    std::fs::write(&empty, "").unwrap();
    sub(&["--curve-key", &empty, "--curve-allow-any"]).failed(2, &empty);
}
