//! A run's b-tree: the first key of each page, except the first page and those that are skipped
//! because their keys are long.
//!
//! The entries are delivered in order, next to the pages themselves, so that the two can be
//! compared. In a run of which a merge has given up the beginning, the tree's left part is gone:
//! subtrees and entries that lead out of the run are left out.

use super::Fault;
use super::chain::Chain;
use super::page::{BtreeKey, Page};
use super::pages::Pages;

/// No tree is deeper: each page holds at least two subtrees.
const DEEPEST: usize = 64;

/// One entry: a key, and the page whose first record has it.
pub(crate) struct Entry {
    pub(crate) key: BtreeKey,
    /// The page, as the tree names it and as it is after redirection.
    pub(crate) leads_to: u64,
    /// The b-tree page that the entry is on.
    pub(crate) on: u64,
}

struct Node {
    page: Page,
    /// The next subtree to visit, or entry to deliver, from 0 to the number of cells.
    next: usize,
}

impl Node {
    fn subtree(&self, i: usize) -> u64 {
        match self.page.btree_cell(i) {
            Some((pointer, _, _)) => pointer,
            None => self.page.pointer(),
        }
    }
}

/// The entries of a tree, in order.
pub(crate) struct Entries<'a> {
    pages: &'a Pages<'a>,
    chain: &'a Chain,
    cut: bool,
    depth: usize,
    stack: Vec<Node>,
    /// An inner entry whose page is found by going down to its right.
    inner: Option<(BtreeKey, u64)>,
}

impl<'a> Entries<'a> {
    /// The tree with this root; `None` if the root is no b-tree page, which is how the engine
    /// marks a tree without entries.
    pub(crate) fn new(
        pages: &'a Pages<'a>,
        chain: &'a Chain,
        root: u64,
        cut: bool,
    ) -> Result<Option<Entries<'a>>, Fault> {
        let mut entries = Entries {
            pages,
            chain,
            cut,
            depth: 0,
            stack: Vec::new(),
            inner: None,
        };
        let top = entries.load(root)?;
        if !top.is_btree() {
            return Ok(None);
        }
        // The right edge is complete in any case; it tells the depth.
        let mut at = top.pointer();
        entries.depth = 1;
        while entries.depth < DEEPEST {
            let page = entries.load(at)?;
            if !page.is_btree() {
                break;
            }
            entries.depth += 1;
            at = page.pointer();
        }
        entries.stack.push(Node { page: top, next: 0 });
        Ok(Some(entries))
    }

    fn load(&self, number: u64) -> Result<Page, Fault> {
        let page = self.pages.page(self.chain, self.chain.redirect(number))?;
        page.check()
            .map_err(|problem| Fault::page(page.number, problem))?;
        Ok(page)
    }

    fn gone(&self, number: u64) -> bool {
        self.cut && self.chain.order(self.chain.redirect(number)).is_none()
    }

    fn advance(&mut self) -> Option<Result<Entry, Fault>> {
        loop {
            let depth = self.stack.len();
            let node = self.stack.last_mut()?;
            let cells = node.page.cells();
            if depth == self.depth {
                // A leaf: its first pointer belongs to the entry that led here.
                if let Some((key, on)) = self.inner.take() {
                    let leads_to = node.subtree(0);
                    if self.gone(leads_to) {
                        continue;
                    }
                    return Some(Ok(self.entry(key, leads_to, on)));
                }
                if node.next >= cells {
                    self.stack.pop();
                    continue;
                }
                let (i, on) = (node.next, node.page.number);
                node.next += 1;
                let leads_to = node.subtree(i + 1);
                let Some((_, key, _)) = node.page.btree_cell(i) else {
                    continue;
                };
                if self.gone(leads_to) {
                    continue;
                }
                return Some(Ok(self.entry(key, leads_to, on)));
            }
            if node.next > cells {
                self.stack.pop();
                continue;
            }
            let i = node.next;
            node.next += 1;
            let subtree = node.subtree(i);
            if i > 0 {
                let on = node.page.number;
                if let Some((_, key, _)) = node.page.btree_cell(i - 1) {
                    self.inner = Some((key, on));
                }
            }
            if self.gone(subtree) {
                self.inner = None;
                continue;
            }
            let on = self.stack.last().map_or(0, |node| node.page.number);
            match self.load(subtree) {
                Ok(page) if page.is_btree() => self.stack.push(Node { page, next: 0 }),
                Ok(page) => {
                    self.inner = None;
                    let problem = format!(
                        "this b-tree page leads to page {}, which isn't one",
                        page.number
                    );
                    return Some(Err(Fault::page(on, problem)));
                }
                Err(fault) => {
                    self.inner = None;
                    let problem = format!(
                        "this b-tree page leads to page {subtree}: {}",
                        fault.problem
                    );
                    return Some(Err(Fault::page(on, problem)));
                }
            }
        }
    }

    fn entry(&self, key: BtreeKey, leads_to: u64, on: u64) -> Entry {
        Entry {
            key: match key {
                BtreeKey::FirstOf(page) => BtreeKey::FirstOf(self.chain.redirect(page)),
                inline => inline,
            },
            leads_to: self.chain.redirect(leads_to),
            on,
        }
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, Fault>;

    /// The next entry; after an error, the one behind the damage.
    fn next(&mut self) -> Option<Self::Item> {
        self.advance()
    }
}
