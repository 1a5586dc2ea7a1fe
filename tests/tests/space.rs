//! A folder without room: errors, never a signal.

use qadataswap_tests::{Actor, Line, Role, Scene, skip};

/// Plays `role` where `small` is a tmpfs of its own; `false` if the kernel refuses that.
fn play_on_tmpfs(scene: &Scene, bytes: u64, role: impl FnOnce(qadataswap_tests::Ring) -> Role) -> bool {
    let small = scene.folder().join("small");
    std::fs::create_dir(&small).expect("a folder in the scene");
    let mut ring = scene.ring("feed");
    ring.directory.clone_from(&small);
    let played = match Actor::start_on_tmpfs(&small, bytes, &role(ring)) {
        Ok(mut actor) => match actor.line_within(qadataswap_tests::PATIENCE) {
            Some(Line::Open { .. }) => {
                actor.finish();
                true
            }
            Some(line) => panic!("{line:?}"),
            None => {
                let status = actor.ended();
                assert!(matches!(status.code(), Some(1 | 77)), "{status}");
                skip("the kernel does not let this user mount a tmpfs in a namespace of its own");
                false
            }
        },
        Err(error) => {
            skip(&format!("unshare cannot be started: {error}"));
            false
        }
    };
    std::fs::remove_dir(&small).expect("nothing of the small folder is seen from here");
    played
}

#[test]
fn a_full_folder_is_an_error_and_the_ring_goes_on_with_smaller_frames() {
    let scene = Scene::new();
    play_on_tmpfs(&scene, 1 << 20, |ring| Role::Cramp { ring });
}

#[test]
fn a_write_without_room_succeeds_when_there_is_room_again() {
    let scene = Scene::new();
    play_on_tmpfs(&scene, 1 << 20, |ring| Role::Starve { ring, relief: true });
}

#[test]
fn a_ring_in_a_full_folder_goes_on_in_the_slots_that_have_memory() {
    let scene = Scene::new();
    play_on_tmpfs(&scene, 1 << 20, |ring| Role::Starve { ring, relief: false });
}
