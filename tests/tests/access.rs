//! Who may call a ring what, and who may open it.

use qadataswap::{ErrorKind, QADataSwapError, Reader, SharedMemoryConfig, Writer};
use qadataswap_tests::{Actor, Line, PROMPT, Role, Scene, check, skip, table};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

const SEED: u64 = 51;
/// Not root, and nobody whom the tests run as.
const OTHER: u32 = 65_534;

fn kind<T>(result: Result<T, QADataSwapError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// Starts an actor as [`OTHER`], if this user may and that one can reach the program.
fn other(role: &Role) -> Option<Actor> {
    if !nix::unistd::geteuid().is_root() {
        skip("only root can play two users");
        return None;
    }
    match Actor::start_as(OTHER, role) {
        Ok(actor) => Some(actor),
        Err(error) => {
            skip(&format!("user {OTHER} cannot start the actors' program: {error}"));
            None
        }
    }
}

#[track_caller]
fn is_refused(actor: Actor, expected: &str) {
    match actor.line() {
        Line::Refused { kind, message } => assert_eq!(kind, expected, "{message}"),
        line => panic!("{line:?} instead of {expected}"),
    }
    actor.finish();
}

#[test]
fn names_that_are_no_names_are_refused() {
    let scene = Scene::new();
    let long = "x".repeat(201);
    for name in ["", ".", "..", "a/b", "/a", "../a", "a b", "a\0b", "a\n", "ä", ".hidden", &long] {
        let config = SharedMemoryConfig::new(name).with_directory(scene.folder());
        assert_eq!(kind(Writer::new(&config)), Some(ErrorKind::InvalidName), "{name:?}");
        assert_eq!(kind(Reader::new(&config)), Some(ErrorKind::InvalidName), "{name:?}");
        assert_eq!(kind(scene.info(name)), Some(ErrorKind::InvalidName), "{name:?}");
    }
    assert_eq!(scene.files(), [""; 0]);
}

#[test]
fn names_of_every_allowed_kind_are_taken() {
    let scene = Scene::new();
    for name in ["a", "market_data", "ES-1.mbo", "0", &"x".repeat(200)] {
        let ring = scene.ring(name);
        let (writer, reader) = (ring.writer().expect("created"), ring.reader().expect("attached"));
        writer.write_arrow(&table(SEED, 0)).expect("written");
        check(SEED, &reader.read_frame(PROMPT).expect("no error").expect("a frame")).expect("whole");
        assert_eq!(scene.files(), [format!("qads_{name}")]);
    }
}

#[test]
fn sizes_out_of_range_are_refused() {
    let scene = Scene::new();
    for ring in [
        scene.ring("feed").slots(0),
        scene.ring("feed").slots(65_537),
        scene.ring("feed").max_readers(0),
        scene.ring("feed").max_readers(1025),
        scene.ring("feed").slot_bytes(0),
        scene.ring("feed").slot_bytes(u64::MAX),
        scene.ring("feed").slot_bytes((1 << 40) + 1),
        scene.ring("feed").slots(65_536).slot_bytes(1 << 40),
    ] {
        assert_eq!(kind(ring.writer()), Some(ErrorKind::InvalidConfig), "{ring:?}");
    }
    assert_eq!(scene.files(), [""; 0]);
}

#[test]
fn a_folder_that_is_none_is_said_to_be_none() {
    let scene = Scene::new();
    let mut ring = scene.ring("feed");
    ring.directory.push("missing");
    assert_eq!(kind(ring.writer()), Some(ErrorKind::InvalidConfig));
    assert_eq!(kind(ring.reader()), Some(ErrorKind::NotFound));
}

#[test]
fn the_mode_is_what_was_asked_for_whatever_the_umask() {
    let scene = Scene::new();
    for (mode, umask) in [(0o600, 0), (0o600, 0o777), (0o660, 0o077), (0o640, 0o022), (0o666, 0o777)] {
        let actor = Actor::start(&Role::Umask { ring: scene.ring("feed").mode(mode), umask });
        actor.says(&Line::Fact("mode".to_owned(), u64::from(mode)));
        actor.finish();
    }
}

#[test]
fn an_owner_and_a_group_are_given() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root can give a file away");
    }
    let scene = Scene::new();
    let config = scene.ring("feed").config().with_owner(OTHER).with_group(OTHER).with_mode(0o640);
    let _writer = Writer::new(config).expect("created");
    let file = std::fs::metadata(scene.ring("feed").path()).expect("there");
    assert_eq!((file.uid(), file.gid(), file.mode() & 0o777), (OTHER, OTHER, 0o640));
}

#[test]
fn another_user_is_let_in_by_the_mode_alone() {
    for (mode, admitted) in [(0o600, false), (0o644, false), (0o666, true)] {
        let scene = Scene::new();
        let ring = scene.ring("feed").mode(mode);
        let writer = ring.writer().expect("created");
        writer.write_arrow(&table(SEED, 0)).expect("written");
        if let Some(actor) = other(&Role::Visit { ring, seed: SEED }) {
            if admitted {
                actor.opens();
                actor.finish();
            } else {
                is_refused(actor, "PermissionDenied");
            }
        }
        drop(writer);
        scene.gc();
    }
}

#[test]
fn a_group_is_let_in() {
    let scene = Scene::new();
    let ring = scene.ring("feed");
    if !nix::unistd::geteuid().is_root() {
        return skip("only root can give a file away");
    }
    let writer = Writer::new(ring.config().with_mode(0o660).with_group(OTHER)).expect("created");
    writer.write_arrow(&table(SEED, 0)).expect("written");
    if let Some(actor) = other(&Role::Visit { ring, seed: SEED }) {
        actor.opens();
        actor.finish();
    }
    drop(writer);
    scene.gc();
}

#[test]
fn another_users_ring_is_refused_unless_that_user_is_trusted() {
    let scene = Scene::new();
    std::fs::set_permissions(scene.folder(), std::fs::Permissions::from_mode(0o777)).expect("ours");
    let ring = scene.ring("feed").mode(0o666);
    let role = Role::Write { ring: ring.clone(), seed: SEED, until: Some(2), stay: true, wait: false };
    let Some(mut writer) = other(&role) else { return };
    writer.opens();
    writer.says(&Line::Wrote { next: 2 });
    match ring.reader() {
        Err(QADataSwapError::PermissionDenied { reason, .. }) => {
            assert!(reason.contains(&OTHER.to_string()), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(kind(ring.clone().trusted(OTHER + 1).reader()), Some(ErrorKind::PermissionDenied));
    let trusting = ring.clone().trusted(OTHER);
    let reader = trusting.reader().expect("attached");
    for _ in 0..2 {
        check(SEED, &reader.read_frame(PROMPT).expect("no error").expect("a frame")).expect("whole");
    }
    assert!(reader.has_writer().expect("open"), "another user's process is seen alive");
    assert_eq!(kind(trusting.writer()), Some(ErrorKind::WriterExists));
    writer.kill();
    assert_eq!(kind(reader.read_frame(PROMPT)), Some(ErrorKind::WriterDied));
    // Nobody takes over what an untrusted user may have prepared.
    assert_eq!(kind(ring.writer()), Some(ErrorKind::PermissionDenied));
    trusting.writer().expect("taken over");
}

#[test]
fn a_process_that_gave_up_root_can_use_rings() {
    if !nix::unistd::geteuid().is_root() {
        return skip("only root can give up root");
    }
    let scene = Scene::new();
    std::fs::set_permissions(scene.folder(), std::fs::Permissions::from_mode(0o777)).expect("ours");
    let actor = Actor::start(&Role::Demote { ring: scene.ring("feed"), uid: OTHER });
    actor.says(&Line::Fact("owner".to_owned(), u64::from(OTHER)));
    assert!(scene.info("feed").is_ok_and(|info| info.readers[0].alive && info.uid == OTHER));
    actor.finish();
}
