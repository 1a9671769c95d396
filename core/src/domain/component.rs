//! A component: a thing that stands in a village and is maintained (a lamp, a well's cover), with the 18 fields of
//! GB/T 47678.5, table 2, and its position. Reference data: it is imported as a whole and no case changes it.
//!
//! How components are written down is [`crate::sync::components`]'s; which are near is [`near`]'s.

pub mod near;

use super::place::VillageCode;

/// Names a component: the division (6 digits), its class, a serial (6). A class has 5 digits since GB/T 47678.5, 4 before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ComponentCode(u64);

impl ComponentCode {
    /// Accepts a number of 17 digits, or of 16, whose class and serial can be ones.
    pub fn new(code: u64) -> Option<Self> {
        let (major, minor, majors) = match code {
            10_000_000_000_000_000..100_000_000_000_000_000 => {
                let class = code / 1_000_000 % 100_000;
                (class / 1_000, class % 1_000, 1..=5)
            }
            1_000_000_000_000_000..10_000_000_000_000_000 => {
                let class = code / 1_000_000 % 10_000;
                (class / 100, class % 100, 1..=6)
            }
            _ => return None,
        };
        // 21 is what cities have added to the older classes.
        let has_major = majors.contains(&major) || (major == 21 && *majors.end() == 6);
        (has_major && minor > 0 && !code.is_multiple_of(1_000_000)).then_some(Self(code))
    }

    /// Reads 16 or 17 decimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        // A sign, or zeros before it, would be another way to write the same one.
        let code = text.parse().ok().and_then(Self::new)?;
        (code.to_string() == text).then_some(code)
    }

    /// The code as a number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// How many codes of classes there are where it comes from.
    fn classes(self) -> u64 {
        if self.0 >= 10_000_000_000_000_000 {
            100_000
        } else {
            10_000
        }
    }

    /// The 6-digit code of the division.
    pub fn district(self) -> u64 {
        self.0 / 1_000_000 / self.classes()
    }

    /// The code of its class.
    pub fn class(self) -> u64 {
        self.0 / 1_000_000 % self.classes()
    }

    /// The digits of its class: 5, or 4 in an older code.
    pub fn class_text(self) -> String {
        let digits = if self.classes() == 10_000 { 4 } else { 5 };
        format!("{:0digits$}", self.class())
    }
}

impl std::fmt::Display for ComponentCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A position in CGCS2000 or WGS-84, which differ by less than anybody here can measure, in 10⁻⁷ degrees.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Position {
    /// Longitude.
    pub lon_e7: i64,
    /// Latitude.
    pub lat_e7: i64,
}

/// A body that a component names: its unified social credit code and its name. Either may be empty where it is optional.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NamedBody {
    /// 18 characters.
    pub code: String,
    /// At most 100 characters.
    pub name: String,
}

/// A component. Texts that are absent are empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Component {
    /// 管理部件标识码.
    pub code: ComponentCode,
    /// 管理部件名称.
    pub name: String,
    /// 主管部门: who answers for it.
    pub authority: NamedBody,
    /// 权属单位: whose it is.
    pub owner: NamedBody,
    /// 养护单位: who keeps it in order.
    pub keeper: NamedBody,
    /// 所在单元网格标识码, 15 characters that begin with the village's code.
    pub unit_grid: String,
    /// 管理部件状态: 完好, 破损, 丢失, 废弃, 移除 or another.
    pub state: String,
    /// 初始日期, as the number YYYYMMDD.
    pub first_on: u32,
    /// 变更日期, likewise; none before the first change.
    pub changed_on: Option<u32>,
    /// 数据来源.
    pub source: String,
    /// 备注.
    pub remarks: String,
    /// 所在街道代码, 9 digits.
    pub town_code: String,
    /// 所在街道名称.
    pub town_name: String,
    /// 所在社区（村）代码: always there, because the unit grid says it too.
    pub village: VillageCode,
    /// 所在社区（村）名称.
    pub village_name: String,
    /// Where it stands.
    pub position: Position,
}

/// The states of what stands nowhere any more.
pub const GONE: [&str; 2] = ["废弃", "移除"];

impl Component {
    /// Whether it stands where it is said to.
    pub fn stands(&self) -> bool {
        !GONE.contains(&self.state.as_str())
    }
}

/// Whether the last of the 18 characters of a unified social credit code (GB 32100) is what the others make it; none where it is
/// no such code.
pub fn is_check_right(code: &str) -> Option<bool> {
    const SIGNS: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    let values: Option<Vec<usize>> = code
        .bytes()
        .map(|byte| SIGNS.iter().position(|sign| *sign == byte))
        .collect();
    let values = values.filter(|values| values.len() == 18)?;
    let (check, others) = values.split_last()?;
    let mut weight = 1;
    let mut sum = 0;
    for value in others {
        sum += value * weight;
        weight = weight * 3 % 31;
    }
    Some((31 - sum % 31) % 31 == *check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_a_division_a_class_and_a_serial() {
        let new = ComponentCode::parse("44040301003000001").expect("17 digits");
        let old = ComponentCode::parse("4404032101000001").expect("16 digits");
        assert_eq!([new, old].map(ComponentCode::district), [440_403; 2]);
        assert_eq!([new, old].map(ComponentCode::class), [1_003, 2_101]);
        for wrong in [
            "",
            "440403010030000",
            "440403010030000010",
            "44040300003000001",
            "44040306003000001",
            "44040321001000001",
            "44040301000000001",
            "44040301003000000",
            "4404030700000001",
            "4404030100000001",
            "+44040301003000001",
            "044040301003000001",
            "04404032101000001",
        ] {
            assert_eq!(ComponentCode::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_check_character_follows_from_the_others() {
        assert_eq!(is_check_right("91350100M000100Y43"), Some(true));
        assert_eq!(is_check_right("91350100M000100Y44"), Some(false));
        assert_eq!(is_check_right("91350100M000100Y4"), None);
        assert_eq!(is_check_right("91350100M000100O43"), None);
    }
}
