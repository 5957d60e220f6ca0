//! Files that were damaged while nobody had them open: what was in them is found, or an error, never a panic or a mix.
//!
//! One flip is not found: in a file that was not closed, the bit of the header that says which of the last two commits is
//! the newer one. The second last one is found then, whole. Only the snapshot beside the store tells.

use super::power_cut::{Disk, Random};
use super::redb_tests::put;
use super::*;

const HEADER: usize = 4096;
/// The byte of that flip, and the bit.
const WHICH_COMMIT: (usize, u8) = (9, 1);

struct Image {
    data: Vec<u8>,
    contents: Contents,
}

/// A store's file in the middle of its work, and after a clean end.
fn images() -> [Image; 2] {
    let disk = Disk::default();
    let store = RedbStore::on(disk.clone(), "disk").unwrap();
    for revision in 0..40 {
        let value = "x".repeat(revision as usize * 30);
        store.commit(revision, &[put(Kind::Session, &format!("tms-{}", revision % 25), &value)]).unwrap();
    }
    let contents = store.load().unwrap();
    let working = Image { data: disk.bytes(), contents: contents.clone() };
    drop(store);
    [working, Image { data: disk.bytes(), contents }]
}

fn found(data: Vec<u8>) -> Result<Contents, StoreError> {
    RedbStore::on(Disk::of(data), "disk").and_then(|store| store.load())
}

/// Damages the file, and says whether that was found.
fn is_refused(image: &Image, damage: impl FnOnce(&mut Vec<u8>)) -> bool {
    let mut data = image.data.clone();
    damage(&mut data);
    match found(data) {
        Ok(contents) => {
            assert!(contents == image.contents, "revision {}, or a mix, was taken for sound", contents.revision);
            false
        }
        Err(error) => {
            assert!(matches!(error, StoreError::Broken(_)), "{error}");
            true
        }
    }
}

#[test]
fn each_byte_of_the_header_flipped() {
    for image in images() {
        let mut refused = 0;
        for at in 0..HEADER {
            let flip = if at == WHICH_COMMIT.0 { 0xff ^ WHICH_COMMIT.1 } else { 0xff };
            refused += u32::from(is_refused(&image, |data| data[at] ^= flip));
        }
        // The magic number, sizes and the slot in use; the rest of the page is not used.
        assert!(refused >= 100, "{refused}");
    }
}

#[test]
fn the_flip_that_is_not_found() {
    let [working, closed] = images();
    let (at, bit) = WHICH_COMMIT;
    assert!(is_refused(&closed, |data| data[at] ^= bit));
    let mut data = working.data;
    data[at] ^= bit;
    assert_eq!(found(data).unwrap().revision, working.contents.revision - 1);
}

#[test]
fn random_flips_and_cuts() {
    let mut random = Random::new(1);
    for image in images() {
        let (mut flips, mut cuts) = (0, 0);
        for _ in 0..400 {
            let at = HEADER + random.below(image.data.len() - HEADER);
            let bit = 1 << random.below(8);
            flips += u32::from(is_refused(&image, |data| data[at] ^= bit));
            let unit = [1, 512, 4096][random.below(3)];
            let len = 1 + random.below(image.data.len() - 1) / unit * unit;
            cuts += u32::from(is_refused(&image, |data| data.truncate(len)));
        }
        // Free pages do not matter, nor does a free end.
        assert!(flips >= 20 && cuts >= 200, "{flips} flips, {cuts} cuts");
    }
}
