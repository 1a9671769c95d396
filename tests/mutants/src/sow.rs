//! Which mutants a file gets: what stands somewhere, and what stands there instead.
//!
//! A mutant is a pair of insertions: what comes before a piece of code, with the other code in it, and what comes after it. So mutants of a
//! piece and of what it consists of do not get in each other's way. Whether one compiles is not asked here.

use std::ops::Range;

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{
    Arm, Attribute, BinOp, Block, Expr, ExprBinary, ExprClosure, ExprMethodCall, ImplItemFn, Item,
    ItemFn, Pat, ReturnType, Signature, Stmt, UnOp,
};

use crate::Fault;

/// A change of the program.
pub struct Mutant {
    /// By which it is chosen.
    pub number: usize,
    /// From the top of the project.
    pub file: String,
    /// Of the innermost function.
    pub function: String,
    /// Counted from 1.
    pub line: usize,
    /// What stands there, and what then does, on one line each.
    pub before: String,
    /// See `before`.
    pub after: String,
    /// The bytes of the file that it encloses.
    pub range: Range<usize>,
    /// What comes before them.
    pub prefix: String,
    /// What comes after them.
    pub suffix: String,
}

/// The mutants of a file, numbered from `first` on.
pub fn sow(file: &str, text: &str, first: usize) -> Result<Vec<Mutant>, Fault> {
    let parsed = syn::parse_file(text).map_err(|error| format!("{file}: {error}"))?;
    let mut sower = Sower {
        file,
        text,
        first,
        functions: Vec::new(),
        mutants: Vec::new(),
    };
    sower.visit_file(&parsed);
    Ok(sower.mutants)
}

struct Sower<'t> {
    file: &'t str,
    text: &'t str,
    first: usize,
    functions: Vec<String>,
    mutants: Vec<Mutant>,
}

/// Methods, and those that are like them with another meaning.
const METHODS: &[(&str, &str)] = &[
    ("any", "all"),
    ("first", "last"),
    ("is_none", "is_some"),
    ("is_ok", "is_err"),
    ("is_none_or", "is_some_and"),
    ("max", "min"),
    ("max_by_key", "min_by_key"),
    ("saturating_add", "saturating_sub"),
    ("checked_add", "checked_sub"),
];

/// Methods that ask a closure yes or no.
const ASKING: &[&str] = &[
    "filter",
    "any",
    "all",
    "retain",
    "find",
    "position",
    "is_some_and",
    "is_none_or",
    "is_ok_and",
    "take_while",
    "skip_while",
    "partition",
];

/// Operators, and what stands in their place.
const OPERATORS: &[(&str, &[&str])] = &[
    ("==", &["!="]),
    ("!=", &["=="]),
    ("<", &["<="]),
    ("<=", &["<"]),
    (">", &[">="]),
    (">=", &[">"]),
    ("+", &["-"]),
    ("-", &["+"]),
    ("*", &["+"]),
    ("/", &["*"]),
    ("%", &["/"]),
    ("&", &["|"]),
    ("|", &["&"]),
    ("<<", &[">>"]),
    (">>", &["<<"]),
    ("+=", &["-="]),
    ("-=", &["+="]),
    ("|=", &["&="]),
    ("&=", &["|="]),
];

/// What a function returns that does nothing, by what it returns.
const NOTHINGS: &[(&str, &[&str])] = &[
    ("bool", &["true", "false"]),
    ("u8", &["0", "1"]),
    ("u32", &["0", "1"]),
    ("u64", &["0", "1"]),
    ("usize", &["0", "1"]),
    ("i64", &["0", "1"]),
    ("String", &["String::new()"]),
    ("Result < ()", &["Ok(())"]),
    ("Result < bool", &["Ok(true)", "Ok(false)"]),
    ("Result < Option", &["Ok(None)"]),
    ("Result < Vec", &["Ok(Vec::new())"]),
    ("Option", &["None"]),
    ("Vec", &["Vec::new()"]),
    ("BTreeSet", &["Default::default()"]),
    ("BTreeMap", &["Default::default()"]),
];

impl Sower<'_> {
    fn of(&self, span: Span) -> &str {
        self.text.get(span.byte_range()).unwrap_or_default()
    }

    /// `{number}` in the insertions is the mutant's own.
    fn add(&mut self, span: Span, before: &str, after: &str, prefix: &str, suffix: &str) {
        let number = self.first + self.mutants.len();
        let crate_name = match self.file.starts_with("core/") {
            true => "crate",
            false => "patrol_core",
        };
        let asked = format!("{crate_name}::mutants::is({number})");
        self.mutants.push(Mutant {
            number,
            file: self.file.to_owned(),
            function: self.functions.last().cloned().unwrap_or_default(),
            line: span.start().line,
            before: one_line(before),
            after: one_line(after),
            range: span.byte_range(),
            prefix: prefix.replace("{it}", &asked),
            suffix: suffix.replace("{it}", &asked),
        });
    }

    /// Another value in the place of an expression's.
    fn instead(&mut self, span: Span, after: &str) {
        let before = self.of(span).to_owned();
        let prefix = format!("(if {{it}} {{ {after} }} else {{ ");
        self.add(span, &before, after, &prefix, " })");
    }

    fn without(&mut self, statement: &Stmt) {
        let before = self.of(statement.span()).to_owned();
        self.add(statement.span(), &before, "", "if !{it} { ", " }");
    }

    /// A condition: none of its parts binds anything.
    fn yes_and_no(&mut self, asked: &Expr) {
        self.instead(asked.span(), "true");
        self.instead(asked.span(), "false");
    }

    /// A condition of `if`, `while` or a guard, of which parts may bind something.
    fn condition(&mut self, asked: &Expr) {
        match asked {
            Expr::Let(_) => {}
            Expr::Binary(pair) if matches!(pair.op, BinOp::And(_)) && binds(asked) => {
                self.condition(&pair.left);
                self.condition(&pair.right);
            }
            _ => self.yes_and_no(asked),
        }
    }

    fn function(&mut self, signature: &Signature, attributes: &[Attribute], block: &Block) {
        if signature.constness.is_some() || is_for_tests(attributes) {
            return;
        }
        self.functions.push(signature.ident.to_string());
        let returned = match &signature.output {
            ReturnType::Default => String::new(),
            ReturnType::Type(_, of) => self.of(of.span()).replace('<', " < "),
        };
        let nothings: &[&str] = match returned.is_empty() {
            true => &["()"],
            false => {
                let like = |(name, _): &&(&str, &[&str])| {
                    returned.trim_start_matches("crate::").starts_with(name)
                };
                NOTHINGS.iter().find(like).map_or(&[], |(_, values)| values)
            }
        };
        if let (Some(first), false) = (block.stmts.first(), nothings.is_empty()) {
            for nothing in nothings {
                let prefix = format!("if {{it}} {{ return {nothing}; }} ");
                let after = format!("return {nothing}");
                self.add(first.span(), "the whole function", &after, &prefix, "");
            }
        }
        visit::visit_block(self, block);
        self.functions.pop();
    }
}

impl<'a> Visit<'a> for Sower<'_> {
    fn visit_item(&mut self, item: &'a Item) {
        match item {
            Item::Const(_) | Item::Static(_) | Item::Macro(_) => {}
            Item::Mod(module) if is_for_tests(&module.attrs) => {}
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_item_fn(&mut self, function: &'a ItemFn) {
        self.function(&function.sig, &function.attrs, &function.block);
    }

    fn visit_impl_item_fn(&mut self, function: &'a ImplItemFn) {
        self.function(&function.sig, &function.attrs, &function.block);
    }

    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::Expr(expression, Some(_)) = statement
            && is_deed(expression)
        {
            self.without(statement);
        }
        visit::visit_stmt(self, statement);
    }

    fn visit_arm(&mut self, arm: &'a Arm) {
        if let Pat::Guard(guarded) = &arm.pat {
            self.condition(&guarded.guard);
        }
        visit::visit_arm(self, arm);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::If(asked) => self.condition(&asked.cond),
            Expr::While(asked) => self.condition(&asked.cond),
            Expr::Match(matched) => self.arms(&matched.arms),
            Expr::Binary(pair) => self.binary(pair),
            Expr::MethodCall(call) => self.method(call),
            Expr::Unary(unary) if matches!(unary.op, UnOp::Not(_)) => {
                let inner = self.of(unary.expr.span()).to_owned();
                self.instead(unary.span(), &inner);
            }
            Expr::Lit(literal) => {
                if let syn::Lit::Bool(value) = &literal.lit {
                    self.instead(literal.span(), if value.value { "false" } else { "true" });
                }
            }
            _ => {}
        }
        visit::visit_expr(self, expression);
    }
}

impl Sower<'_> {
    /// Arms before one that takes whatever is left.
    fn arms(&mut self, arms: &[Arm]) {
        let Some(last) = arms.iter().position(|arm| is_for_all(&arm.pat)) else {
            return;
        };
        for arm in arms.iter().take(last) {
            let before = self.of(arm.pat.span()).to_owned();
            match &arm.pat {
                Pat::Guard(guarded) => {
                    self.add(guarded.guard.span(), &before, "", "!{it} && (", ")");
                }
                pattern => self.add(pattern.span(), &before, "", "", " if !{it}"),
            }
        }
    }

    fn binary(&mut self, pair: &ExprBinary) {
        let text = |sower: &Self, side: &Expr| sower.of(side.span()).to_owned();
        let (left, right) = (text(self, &pair.left), text(self, &pair.right));
        match pair.op {
            BinOp::And(_) | BinOp::Or(_) => {
                let neutral = match pair.op {
                    BinOp::And(_) => "true",
                    _ => "false",
                };
                for side in [&pair.left, &pair.right] {
                    if !binds(side) {
                        self.instead(side.span(), neutral);
                    }
                }
            }
            operator => {
                let operator = self.of(operator.span()).to_owned();
                let others = OPERATORS.iter().find(|(one, _)| *one == operator);
                for other in others.map_or(&[][..], |(_, others)| others) {
                    self.instead(pair.span(), &format!("{left} {other} {right}"));
                }
            }
        }
    }

    fn method(&mut self, call: &ExprMethodCall) {
        let name = call.method.to_string();
        let pair = METHODS
            .iter()
            .find(|(one, other)| [*one, *other].contains(&name.as_str()));
        if let Some((one, other)) = pair {
            let like = if name == *one { other } else { one };
            let (whole, method) = (call.span().byte_range(), call.method.span().byte_range());
            let head = self.text.get(whole.start..method.start).unwrap_or_default();
            let tail = self.text.get(method.end..whole.end).unwrap_or_default();
            let after = format!("{head}{like}{tail}");
            self.instead(call.span(), &after);
        }
        if ASKING.contains(&name.as_str()) {
            for argument in &call.args {
                if let Expr::Closure(ExprClosure { body, .. }) = argument {
                    self.yes_and_no(body);
                }
            }
        }
    }
}

/// Whether somebody would miss it: it does something and says nothing.
fn is_deed(expression: &Expr) -> bool {
    match expression {
        Expr::Call(_) | Expr::MethodCall(_) | Expr::Assign(_) | Expr::Return(_) => true,
        Expr::Continue(_) | Expr::Break(_) => true,
        Expr::Try(tried) => is_deed(&tried.expr),
        Expr::Await(awaited) => is_deed(&awaited.base),
        Expr::Binary(pair) => {
            use BinOp::{AddAssign, BitAndAssign, BitOrAssign, SubAssign};
            matches!(
                pair.op,
                AddAssign(_) | SubAssign(_) | BitOrAssign(_) | BitAndAssign(_)
            )
        }
        _ => false,
    }
}

fn binds(asked: &Expr) -> bool {
    match asked {
        Expr::Let(_) => true,
        Expr::Binary(pair) if matches!(pair.op, BinOp::And(_)) => {
            binds(&pair.left) || binds(&pair.right)
        }
        _ => false,
    }
}

fn is_for_all(pattern: &Pat) -> bool {
    match pattern {
        Pat::Wild(_) => true,
        Pat::Ident(name) => {
            name.subpat.is_none() && name.ident.to_string().starts_with(char::is_lowercase)
        }
        _ => false,
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let is_test = attribute.path().is_ident("test");
        let of_tests = |list: &syn::MetaList| list.tokens.to_string() == "test";
        is_test || attribute.meta.require_list().is_ok_and(of_tests)
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
