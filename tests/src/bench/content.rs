//! What people write and photograph, made up so that a compressor cannot cheat: words about half from phrases of the field,
//! half single characters drawn from the 3,755 common hanzi; positions, categories and photos that repeat nothing.
//!
//! It knows nothing of documents. Everything follows from the generator that it is given.

use std::sync::OnceLock;

use patrol_core::domain::case::{Category, CategoryKind};
use patrol_core::domain::entry::PhotoRef;
use patrol_core::domain::place::{Datum, Place, Point, VillageCode};
use rand::seq::IndexedRandom as _;
use rand::{Rng, RngCore as _};
use rand_chacha::ChaCha8Rng;

/// The characters of the first level of GB 2312-80, rows 16 to 55.
const HANZI: &str = include_str!("../../data/hanzi_3755.txt");

const PHRASES: &[&str] = &[
    "路边堆放垃圾",
    "影响村民通行",
    "井盖破损",
    "污水外溢",
    "桥头东侧",
    "村口路灯不亮",
    "占用绿化带",
    "擅自搭建棚屋",
    "河道漂浮物较多",
    "墙面乱贴广告",
    "已拍照上报",
    "请尽快处理",
    "存在安全隐患",
    "村委会门口",
    "垃圾桶满溢",
    "施工未设围挡",
    "电线垂落",
    "公厕无人清扫",
    "鱼塘边坡塌陷",
    "沿街晾晒",
];

fn hanzi() -> &'static [char] {
    static ALL: OnceLock<Vec<char>> = OnceLock::new();
    ALL.get_or_init(|| HANZI.chars().filter(|c| !c.is_whitespace()).collect())
}

/// Words of exactly so many characters.
pub fn words(rng: &mut ChaCha8Rng, characters: usize) -> String {
    let mut text: Vec<char> = Vec::new();
    let mut from_phrases = 0;
    while text.len() < characters {
        if 2 * from_phrases <= text.len() {
            let phrase = PHRASES.choose(rng).expect("there are phrases");
            from_phrases += phrase.chars().count();
            text.extend(phrase.chars());
        } else {
            let single = hanzi().choose(rng).expect("there are characters");
            text.push(*single);
        }
    }
    text.into_iter().take(characters).collect()
}

/// A position to six decimals within some kilometres of the coast of Zhuhai.
pub fn place(rng: &mut ChaCha8Rng, village: VillageCode) -> Place {
    Place {
        point: Some(Point {
            lon_e7: rng.random_range(113_100_000..113_600_000) * 10,
            lat_e7: rng.random_range(21_900_000..22_400_000) * 10,
            datum: Datum::Wgs84,
            accuracy_m: Some(rng.random_range(3..40)),
        }),
        ..Place::village(village)
    }
}

/// One of some 250 categories.
pub fn category(rng: &mut ChaCha8Rng) -> Category {
    let is_component = rng.random_bool(0.4);
    Category {
        scheme: 476_785,
        kind: if is_component {
            CategoryKind::Component
        } else {
            CategoryKind::Matter
        },
        code: if is_component {
            rng.random_range(0..153)
        } else {
            rng.random_range(0..97)
        } + 6_000,
        condition: None,
    }
}

/// Two or three photos.
pub fn photos(rng: &mut ChaCha8Rng) -> Vec<PhotoRef> {
    (0..rng.random_range(2..=3))
        .map(|_| {
            let mut sha256 = [0; 32];
            rng.fill_bytes(&mut sha256);
            PhotoRef {
                sha256,
                bytes: rng.random_range(90_000..400_000),
                media: 1,
                kind: rng.random_range(1..=2),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    #[test]
    fn words_have_the_length_asked_for_and_half_of_them_are_single_characters() {
        assert_eq!(hanzi().len(), 3_755);
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for characters in [0, 1, 10, 60, 300] {
            assert_eq!(words(&mut rng, characters).chars().count(), characters);
        }
        let text = words(&mut rng, 3_000);
        let mut rest = text.clone();
        for phrase in PHRASES {
            rest = rest.replace(phrase, "");
        }
        let singles = rest.chars().count();
        assert!((1_300..1_700).contains(&singles), "{singles}");
    }
}
