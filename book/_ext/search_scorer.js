// How the search ranks: as Sphinx does, and for pages with the same words in their text
// the one that uses them more often first. PAGE_WORDS is made by search_order.py.
var Scorer = {
  score: ([docname, title, anchor, description, score]) => {
    if (anchor || typeof PAGE_WORDS === "undefined") return score; // an entry or a heading
    const counts = PAGE_WORDS[docname] || {};
    const query = new URLSearchParams(window.location.search).get("q") || "";
    const words = new Set(query.toLowerCase().match(/[a-z_]{3,}/g) || []);
    let often = 0;
    words.forEach((word) => (often += Math.log2(1 + (counts[word] || 0)) / words.size));
    return score + Math.min(often, 9);
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
