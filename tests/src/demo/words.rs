//! What people in the villages write: matters, notes, results, reasons. Made up from parts; no names, no numbers of anybody.
//!
//! It knows the categories of the countryside and who usually fixes them; nothing of workflow.

use patrol_core::domain::case::{Category, CategoryKind};
use patrol_core::domain::id::UnitId;
use rand::Rng;
use rand::seq::IndexedRandom as _;

/// The scheme of all categories here: GB/T 47678.5.
const SCHEME: u64 = 476_785;

/// A kind of matter: its category, what one sees, and who fixes it.
struct Subject {
    kind: CategoryKind,
    code: u64,
    seen: &'static [&'static str],
    harm: &'static [&'static str],
    /// Departments and enterprises; empty: the village itself.
    units: &'static [u64],
}

const SUBJECTS: &[Subject] = &[
    Subject {
        kind: CategoryKind::Component,
        code: 1_003,
        seen: &["雨水井盖破损", "雨水井盖缺失", "井盖松动，车过有异响"],
        harm: &["夜间行人易踏空", "摩托车经过有危险"],
        units: &[202],
    },
    Subject {
        kind: CategoryKind::Component,
        code: 1_037,
        seen: &["路灯不亮", "路灯杆倾斜", "路灯白天常亮"],
        harm: &["晚上出行不便", "老人反映看不清路"],
        units: &[213],
    },
    Subject {
        kind: CategoryKind::Component,
        code: 3_005,
        seen: &["垃圾箱满溢", "垃圾箱破损", "垃圾箱无盖，有异味"],
        harm: &["蚊蝇较多", "污水外流"],
        units: &[210, 214],
    },
    Subject {
        kind: CategoryKind::Matter,
        code: 6_001,
        seen: &["空地上新搭铁皮棚", "屋前私自搭建雨棚", "鱼塘边搭建简易房"],
        harm: &["占用村道", "存在倒塌隐患"],
        units: &[102, 106],
    },
    Subject {
        kind: CategoryKind::Matter,
        code: 6_010,
        seen: &["路边堆放生活垃圾", "桥下有成片垃圾", "空地倾倒建筑垃圾"],
        harm: &["影响村容", "异味较大", "下雨后污水漫到路面"],
        units: &[],
    },
    Subject {
        kind: CategoryKind::Matter,
        code: 6_013,
        seen: &["村道路面塌陷", "路面坑洼积水", "路肩被冲垮一截"],
        harm: &["车辆需绕行", "雨天积水难行"],
        units: &[115, 107],
    },
    Subject {
        kind: CategoryKind::Matter,
        code: 6_025,
        seen: &["河涌漂浮水葫芦", "排水渠淤积", "水面有油污和塑料瓶"],
        harm: &["水流不畅", "气味难闻"],
        units: &[104],
    },
    Subject {
        kind: CategoryKind::Matter,
        code: 6_030,
        seen: &["污水直排水渠", "养殖废水外溢", "污水管接口渗漏"],
        harm: &["渠水发黑", "邻近菜地受影响"],
        units: &[103, 104],
    },
    Subject {
        kind: CategoryKind::Matter,
        code: 6_036,
        seen: &["巷口乱堆柴草", "公共楼道堆放杂物", "沙石堆占半幅村道"],
        harm: &["消防通道受阻", "会车困难"],
        units: &[],
    },
    Subject {
        kind: CategoryKind::Matter,
        code: 9_006,
        seen: &["市场外占道摆卖", "店铺货物摆出门外", "流动摊档占用人行道"],
        harm: &["行人只能走机动车道", "早晚拥堵"],
        units: &[101],
    },
];

const SPOTS: &[&str] = &[
    "村口牌坊",
    "文化广场",
    "晒谷场",
    "桥头",
    "卫生站门口",
    "小学围墙外",
    "祠堂前",
    "公交站",
    "灌溉渠",
    "鱼塘",
    "老榕树下",
    "村道岔口",
    "停车场",
    "菜地",
    "垃圾收集点",
    "篮球场",
    "码头",
    "市场后门",
    "水闸",
    "机耕路",
];
const SIDES: &[&str] = &["东侧", "西侧", "南侧", "北侧", "旁", "对面"];
const NOTES: &[&str] = &[
    "已拍近景和全景",
    "现场无人，已在周边询问",
    "已设临时警示",
    "与上周相比范围扩大",
    "附近商户表示愿意配合",
    "下雨后情况加重",
    "已提醒过往车辆慢行",
    "已口头劝导一次",
    "村民催问处理进度",
    "现场复看，暂无变化",
    "已联系村里保洁先行清扫",
];
const RESULTS: &[&str] = &[
    "已清理完毕",
    "已更换并加固",
    "已修复，恢复通行",
    "已责令整改并复查",
    "已疏通，水流恢复",
    "已拆除，场地平整",
    "已劝离并规范摆放",
];
const SENT_BACK: &[&str] = &[
    "不属本单位管养范围",
    "产权属另一单位，请改派",
    "位置在红线以外，请核实",
];
const DECLINED: &[&str] = &["不在受理范围", "与已有案件重复反映", "现场已无此问题"];
const PASSED: &[&str] = &["现场已恢复", "复核合格", "已整改到位"];
const FAILED: &[&str] = &["仍有残留", "只处理了一半", "问题再次出现", "修补处又开裂"];
const CHOSEN: &[&str] = &["经核实，以此为准", "电话核对后确认", "现场照片为证"];

/// One of several.
fn one(rng: &mut impl Rng, of: &[&'static str]) -> &'static str {
    of.choose(rng).copied().unwrap_or_default()
}

/// A matter: what it is, in words, where in words, and who would fix it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Matter {
    /// What it is.
    pub category: Category,
    /// In words.
    pub words: String,
    /// Where in the village.
    pub spot: String,
}

/// Something that an inspector sees.
pub fn matter(rng: &mut impl Rng) -> Matter {
    let subject = SUBJECTS.choose(rng).unwrap_or(&SUBJECTS[0]);
    let spot = format!("{}{}", one(rng, SPOTS), one(rng, SIDES));
    let size = match rng.random_range(0..3) {
        0 => format!("，约{}平方米", rng.random_range(2..40)),
        1 => format!("，长约{}米", rng.random_range(2..60)),
        _ => String::new(),
    };
    let words = format!(
        "{spot}{}{size}，{}",
        one(rng, subject.seen),
        one(rng, subject.harm)
    );
    let category = Category {
        scheme: SCHEME,
        kind: subject.kind,
        code: subject.code,
        condition: None,
    };
    Matter {
        category,
        words,
        spot,
    }
}

/// Who fixes matters of a category; none: the village itself.
pub fn unit_for(rng: &mut impl Rng, code: u64) -> Option<UnitId> {
    let subject = SUBJECTS.iter().find(|subject| subject.code == code)?;
    subject.units.choose(rng).map(|unit| UnitId(*unit))
}

/// Another description of the same matter.
pub fn reworded(rng: &mut impl Rng, words: &str) -> String {
    let addition = match rng.random_range(0..4) {
        0 => format!("，离路口约{}米", rng.random_range(5..300)),
        1 => "，范围比先前描述的大".to_owned(),
        2 => format!("，已持续约{}天", rng.random_range(2..20)),
        _ => format!("，更正：在{}{}", one(rng, SPOTS), one(rng, SIDES)),
    };
    let kept: String = words.chars().take(120).collect();
    format!("{kept}{addition}")
}

/// A remark on the way.
pub fn note(rng: &mut impl Rng) -> String {
    format!(
        "{}（{}{}）",
        one(rng, NOTES),
        one(rng, SPOTS),
        one(rng, SIDES)
    )
}

/// How something was solved.
pub fn result(rng: &mut impl Rng) -> String {
    format!(
        "{}，用时约{}小时",
        one(rng, RESULTS),
        rng.random_range(1..9)
    )
}

/// Why it is not ours.
pub fn sent_back(rng: &mut impl Rng) -> String {
    one(rng, SENT_BACK).to_owned()
}

/// Why it is not taken up.
pub fn declined(rng: &mut impl Rng) -> String {
    one(rng, DECLINED).to_owned()
}

/// What a check found.
pub fn check(rng: &mut impl Rng, verdict: &str) -> String {
    match verdict {
        "passed" => one(rng, PASSED).to_owned(),
        "failed" => one(rng, FAILED).to_owned(),
        _ => "无法进入现场".to_owned(),
    }
}

/// Why a conflict is settled this way.
pub fn chosen(rng: &mut impl Rng) -> String {
    one(rng, CHOSEN).to_owned()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn matters_are_many_and_follow_from_the_seed() {
        let draw = |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            (0..500).map(|_| matter(&mut rng).words).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        let distinct: std::collections::BTreeSet<String> = draw(7).into_iter().collect();
        assert!(distinct.len() > 480, "{}", distinct.len());
    }

    #[test]
    fn every_category_and_unit_is_in_the_directory() {
        let directory = patrol_server::directory::zhuhai();
        for subject in SUBJECTS {
            assert!(
                directory
                    .categories
                    .iter()
                    .any(|row| row.key.code == subject.code),
                "{}",
                subject.code
            );
            for unit in subject.units {
                assert!(directory.unit(UnitId(*unit)).is_some(), "{unit}");
            }
        }
    }
}
