//! What columns may be called: by their own names, or as Chinese files call them. One table for all files.
//!
//! A name means a column only in a file that has such a column, so that 代码 is the code of whatever the file is about.

use super::Columns;

/// Other names, each with its column. Where a name fits two columns of one file, the first counts.
const NAMES: &[(&str, &str)] = &[
    // Components, by the standard's abbreviations and names.
    ("glbjbsm", "code"),
    ("管理部件标识码", "code"),
    ("部件标识码", "code"),
    ("部件代码", "code"),
    ("glbjmc", "name"),
    ("管理部件名称", "name"),
    ("部件名称", "name"),
    ("zgbmdm", "authority_code"),
    ("主管部门代码", "authority_code"),
    ("zgbmmc", "authority_name"),
    ("主管部门名称", "authority_name"),
    ("主管部门", "authority_name"),
    ("qsdwdm", "owner_code"),
    ("权属单位代码", "owner_code"),
    ("qsdwmc", "owner_name"),
    ("权属单位名称", "owner_name"),
    ("权属单位", "owner_name"),
    ("yhdwdm", "keeper_code"),
    ("养护单位代码", "keeper_code"),
    ("yhdwmc", "keeper_name"),
    ("养护单位名称", "keeper_name"),
    ("养护单位", "keeper_name"),
    ("szdywgbsm", "unit_grid"),
    ("所在单元网格标识码", "unit_grid"),
    ("单元网格标识码", "unit_grid"),
    ("单元网格", "unit_grid"),
    ("glbjzt", "state"),
    ("管理部件状态", "state"),
    ("部件状态", "state"),
    ("状态", "state"),
    ("csrq", "first_on"),
    ("初始日期", "first_on"),
    ("bgrq", "changed_on"),
    ("变更日期", "changed_on"),
    ("sjly", "source"),
    ("数据来源", "source"),
    ("bz", "remarks"),
    ("备注", "remarks"),
    ("szjddm", "town_code"),
    ("所在街道代码", "town_code"),
    ("szjdmc", "town_name"),
    ("所在街道名称", "town_name"),
    ("szsqdm", "village_code"),
    ("所在社区(村)代码", "village_code"),
    ("所在社区代码", "village_code"),
    ("szsqmc", "village_name"),
    ("所在社区(村)名称", "village_name"),
    ("所在社区名称", "village_name"),
    // Coordinates. The national datum is meant where none is named, as the standards have it.
    ("经度", "lon_cgcs2000"),
    ("纬度", "lat_cgcs2000"),
    ("经度(cgcs2000)", "lon_cgcs2000"),
    ("纬度(cgcs2000)", "lat_cgcs2000"),
    ("经度(wgs84)", "lon_wgs84"),
    ("纬度(wgs84)", "lat_wgs84"),
    ("经度(wgs-84)", "lon_wgs84"),
    ("纬度(wgs-84)", "lat_wgs84"),
    ("经度(gcj02)", "lon_gcj02"),
    ("纬度(gcj02)", "lat_gcj02"),
    ("经度(gcj-02)", "lon_gcj02"),
    ("纬度(gcj-02)", "lat_gcj02"),
    // Places and bodies.
    ("区代码", "district_code"),
    ("县区代码", "district_code"),
    ("镇街代码", "town_code"),
    ("镇代码", "town_code"),
    ("村代码", "village_code"),
    ("行政村代码", "village_code"),
    ("网格编号", "beat_id"),
    ("责任网格编号", "beat_id"),
    ("网格名称", "beat_name"),
    ("责任网格名称", "beat_name"),
    ("单位编号", "id"),
    ("编号", "id"),
    ("单位类型", "kind"),
    ("类型", "kind"),
    ("类别", "kind"),
    ("方案", "scheme"),
    ("区代码", "code"),
    ("县区代码", "code"),
    ("镇街代码", "code"),
    ("镇代码", "code"),
    ("村代码", "code"),
    ("行政村代码", "code"),
    ("区划代码", "code"),
    ("统计用区划代码", "code"),
    ("代码", "code"),
    ("编码", "code"),
    ("区名称", "name"),
    ("镇街名称", "name"),
    ("村名称", "name"),
    ("村名", "name"),
    ("单位名称", "name"),
    ("姓名", "name"),
    ("名称", "name"),
    // People and dates.
    ("人员编号", "person"),
    ("角色", "role"),
    ("岗位", "role"),
    ("所在", "at"),
    ("任职单位", "at"),
    ("起始日期", "from"),
    ("开始日期", "from"),
    ("起", "from"),
    // The last day on which something holds; `until` is the day from which it holds no more.
    ("结束日期", "last_day"),
    ("截止日期", "last_day"),
    ("止", "last_day"),
];

/// The column of a file that a name means; none where it is not one of that file.
pub(super) fn column(name: &str, known: &Columns) -> Option<&'static str> {
    let name = plain(name);
    let in_file = |column: &str| {
        let mut all = known.required.iter().chain(known.optional);
        all.find(|known| **known == column).copied()
    };
    in_file(&name).or_else(|| {
        let mut meant = NAMES.iter().filter(|(other, _)| *other == name);
        meant.find_map(|(_, column)| in_file(column))
    })
}

/// What spreadsheets call a column, counted from 0: A … Z, AA, AB …
pub(super) fn letters(at: usize) -> String {
    let letter = ('A'..='Z').nth(at % 26).unwrap_or_default();
    match (at / 26).checked_sub(1) {
        Some(before) => format!("{}{letter}", letters(before)),
        None => letter.to_string(),
    }
}

/// A name without blanks, in small letters, with the brackets of ASCII.
fn plain(name: &str) -> String {
    let chars = name.chars().filter(|char| !char.is_whitespace());
    chars
        .map(|char| match char {
            '（' => '(',
            '）' => ')',
            _ => char.to_ascii_lowercase(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_a_column_of_its_file_only() {
        let villages = Columns {
            required: &["code", "name", "town_code"],
            optional: &["lon_gcj02"],
        };
        let beats = Columns {
            required: &["beat_id", "village_code", "from"],
            optional: &["until", "last_day"],
        };
        for (name, in_villages, in_beats) in [
            ("code", Some("code"), None),
            (" 村 代码", Some("code"), Some("village_code")),
            ("镇街代码", Some("town_code"), None),
            ("经度（GCJ-02）", Some("lon_gcj02"), None),
            ("结束日期", None, Some("last_day")),
            ("until", None, Some("until")),
            ("经度", None, None),
            ("颜色", None, None),
            ("", None, None),
        ] {
            let found = (column(name, &villages), column(name, &beats));
            assert_eq!(found, (in_villages, in_beats), "{name}");
        }
    }

    #[test]
    fn columns_are_called_by_letters_as_spreadsheets_do() {
        let called = [0, 25, 26, 51, 52, 701, 702].map(letters);
        assert_eq!(called, ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]);
    }

    /// What operators look columns up in.
    const TABLES: &str = include_str!("../../../docs/tables.md");

    #[test]
    fn the_document_names_every_column_by_each_of_its_names() {
        let text = plain(TABLES);
        for (name, column) in NAMES {
            assert!(text.contains(&plain(column)), "{column}");
            let name = name.replace("gcj02", "gcj-02").replace("wgs84", "wgs-84");
            let is_named = text.contains(&name) || text.contains(&name.replace("-", ""));
            assert!(is_named, "{name}");
        }
    }
}
