//! The units usage is counted and priced in, one table. Gives each unit's name, the quantity a
//! price is quoted for, and which unit contains which. The vocabulary is that of genai-prices
//! (`data_units`, MIT), so that its prices need no translation, and of ours what it lacks: images,
//! video by the second, time of a GPU. It holds no counts and no prices.

/// What a unit counts, as a set: a unit contains every unit that has all its features and more,
/// so `input_tokens` contains `cache_read_tokens`, which contains `cache_audio_read_tokens`.
type Features = u32;

const TOKENS: Features = 1 << 0;
const IN: Features = 1 << 1;
const OUT: Features = 1 << 2;
const TEXT: Features = 1 << 3;
const AUDIO: Features = 1 << 4;
const IMAGE: Features = 1 << 5;
const VIDEO: Features = 1 << 6;
const READ: Features = 1 << 7;
const WRITE: Features = 1 << 8;
const TTL_5M: Features = 1 << 9;
const TTL_1H: Features = 1 << 10;
const TOOL: Features = 1 << 11;
const REASONING: Features = 1 << 12;
const CITATION: Features = 1 << 13;
const CHARACTERS: Features = 1 << 14;
const MESSAGES: Features = 1 << 15;
const SECONDS: Features = 1 << 16;
const PIXELS: Features = 1 << 17;
const PAGES: Features = 1 << 18;
const ANNOTATED: Features = 1 << 19;
const RERANK: Features = 1 << 20;
const WEB_SEARCH: Features = 1 << 21;
const SOCIAL_SEARCH: Features = 1 << 22;
const STORAGE_SEARCH: Features = 1 << 23;
const CODE_EXECUTION: Features = 1 << 24;
const REQUESTS: Features = 1 << 25;
const IMAGES: Features = 1 << 26;
const GPU: Features = 1 << 27;

/// What measures a call otherwise than by tokens.
const MEASURES: Features = CHARACTERS | MESSAGES | SECONDS | PIXELS | PAGES | IMAGES | RERANK;
/// What is counted beside the call itself: what its tools did, and that it was made.
const BESIDE: Features = WEB_SEARCH | SOCIAL_SEARCH | STORAGE_SEARCH | CODE_EXECUTION | REQUESTS;

/// One unit: an index into the table of all units.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Unit(u8);

/// On which side of a call a unit is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Prompt side.
    Input,
    /// Completion side.
    Output,
    /// Neither: searches, requests.
    Neither,
}

struct Definition {
    name: &'static str,
    book_key: &'static str,
    per_quantity: i64,
    features: Features,
}

const fn tokens(name: &'static str, book_key: &'static str, features: Features) -> Definition {
    Definition { name, book_key, per_quantity: 1_000_000, features: TOKENS | features }
}

const fn counted(
    name: &'static str,
    book_key: &'static str,
    per_quantity: i64,
    features: Features,
) -> Definition {
    Definition { name, book_key, per_quantity, features }
}

/// How many units there are.
pub const UNITS: usize = TABLE.len();

#[rustfmt::skip]
const TABLE: &[Definition] = &[
    tokens("input_tokens", "input_mtok", IN),
    tokens("output_tokens", "output_mtok", OUT),
    tokens("cache_read_tokens", "cache_read_mtok", IN | READ),
    tokens("cache_write_tokens", "cache_write_mtok", IN | WRITE),
    tokens("cache_write_5m_tokens", "cache_write_5m_mtok", IN | WRITE | TTL_5M),
    tokens("cache_write_1h_tokens", "cache_write_1h_mtok", IN | WRITE | TTL_1H),
    tokens("input_text_tokens", "input_text_mtok", IN | TEXT),
    tokens("output_text_tokens", "output_text_mtok", OUT | TEXT),
    tokens("cache_text_read_tokens", "cache_text_read_mtok", IN | TEXT | READ),
    tokens("cache_text_write_tokens", "cache_text_write_mtok", IN | TEXT | WRITE),
    tokens("cache_text_write_5m_tokens", "cache_text_write_5m_mtok", IN | TEXT | WRITE | TTL_5M),
    tokens("cache_text_write_1h_tokens", "cache_text_write_1h_mtok", IN | TEXT | WRITE | TTL_1H),
    tokens("input_audio_tokens", "input_audio_mtok", IN | AUDIO),
    tokens("output_audio_tokens", "output_audio_mtok", OUT | AUDIO),
    tokens("cache_audio_read_tokens", "cache_audio_read_mtok", IN | AUDIO | READ),
    tokens("cache_audio_write_tokens", "cache_audio_write_mtok", IN | AUDIO | WRITE),
    tokens("cache_audio_write_5m_tokens", "cache_audio_write_5m_mtok", IN | AUDIO | WRITE | TTL_5M),
    tokens("cache_audio_write_1h_tokens", "cache_audio_write_1h_mtok", IN | AUDIO | WRITE | TTL_1H),
    tokens("input_image_tokens", "input_image_mtok", IN | IMAGE),
    tokens("output_image_tokens", "output_image_mtok", OUT | IMAGE),
    tokens("cache_image_read_tokens", "cache_image_read_mtok", IN | IMAGE | READ),
    tokens("cache_image_write_tokens", "cache_image_write_mtok", IN | IMAGE | WRITE),
    tokens("cache_image_write_5m_tokens", "cache_image_write_5m_mtok", IN | IMAGE | WRITE | TTL_5M),
    tokens("cache_image_write_1h_tokens", "cache_image_write_1h_mtok", IN | IMAGE | WRITE | TTL_1H),
    tokens("input_video_tokens", "input_video_mtok", IN | VIDEO),
    tokens("output_video_tokens", "output_video_mtok", OUT | VIDEO),
    tokens("cache_video_read_tokens", "cache_video_read_mtok", IN | VIDEO | READ),
    tokens("cache_video_write_tokens", "cache_video_write_mtok", IN | VIDEO | WRITE),
    tokens("cache_video_write_5m_tokens", "cache_video_write_5m_mtok", IN | VIDEO | WRITE | TTL_5M),
    tokens("cache_video_write_1h_tokens", "cache_video_write_1h_mtok", IN | VIDEO | WRITE | TTL_1H),
    tokens("input_tool_tokens", "input_tool_mtok", IN | TOOL),
    tokens("input_text_tool_tokens", "input_text_tool_mtok", IN | TEXT | TOOL),
    tokens("input_audio_tool_tokens", "input_audio_tool_mtok", IN | AUDIO | TOOL),
    tokens("input_image_tool_tokens", "input_image_tool_mtok", IN | IMAGE | TOOL),
    tokens("input_video_tool_tokens", "input_video_tool_mtok", IN | VIDEO | TOOL),
    tokens("output_reasoning_tokens", "output_reasoning_mtok", OUT | REASONING),
    tokens("output_text_reasoning_tokens", "output_text_reasoning_mtok", OUT | TEXT | REASONING),
    tokens("output_audio_reasoning_tokens", "output_audio_reasoning_mtok", OUT | AUDIO | REASONING),
    tokens("output_image_reasoning_tokens", "output_image_reasoning_mtok", OUT | IMAGE | REASONING),
    tokens("output_video_reasoning_tokens", "output_video_reasoning_mtok", OUT | VIDEO | REASONING),
    tokens("output_citation_tokens", "output_citation_mtok", OUT | CITATION),
    tokens("output_text_citation_tokens", "output_text_citation_mtok", OUT | TEXT | CITATION),
    tokens("output_audio_citation_tokens", "output_audio_citation_mtok", OUT | AUDIO | CITATION),
    tokens("output_image_citation_tokens", "output_image_citation_mtok", OUT | IMAGE | CITATION),
    tokens("output_video_citation_tokens", "output_video_citation_mtok", OUT | VIDEO | CITATION),
    counted("input_characters", "input_mchars", 1_000_000, CHARACTERS | IN),
    counted("input_text_messages", "input_text_messages_kcount", 1_000, MESSAGES | IN | TEXT),
    counted("audio_seconds", "audio_hours", 3_600, SECONDS | AUDIO),
    counted("input_audio_seconds", "input_audio_hours", 3_600, SECONDS | IN | AUDIO),
    counted("output_audio_seconds", "output_audio_hours", 3_600, SECONDS | OUT | AUDIO),
    counted("input_pixels", "input_gpixels", 1_000_000_000, PIXELS | IN),
    counted("input_document_pages", "input_document_kpages", 1_000, PAGES | IN),
    counted("input_annotated_document_pages", "input_annotated_document_kpages", 1_000, PAGES | IN | ANNOTATED),
    counted("rerank_searches", "rerank_searches_kcount", 1_000, RERANK),
    counted("web_searches", "web_searches_kcount", 1_000, WEB_SEARCH),
    counted("social_searches", "social_searches_kcount", 1_000, SOCIAL_SEARCH),
    counted("storage_searches", "storage_searches_kcount", 1_000, STORAGE_SEARCH),
    counted("code_executions", "code_executions_kcount", 1_000, CODE_EXECUTION),
    counted("input_images", "input_images", 1, IMAGES | IN),
    counted("output_images", "output_images", 1, IMAGES | OUT),
    counted("input_video_seconds", "input_video_hours", 3_600, SECONDS | IN | VIDEO),
    counted("output_video_seconds", "output_video_hours", 3_600, SECONDS | OUT | VIDEO),
    // No span tells it of a call: prices, quotes and drafts know it.
    counted("gpu_seconds", "gpu_hours", 3_600, GPU),
    counted("requests", "requests_kcount", 1_000, REQUESTS),
    // Without a feature: contains every unit. Rules hold for it (a discount, a commitment);
    // nothing is counted or priced in it.
    counted("any", "", 1, 0),
];

impl Unit {
    /// All input tokens.
    pub const INPUT: Unit = Unit(0);
    /// All output tokens.
    pub const OUTPUT: Unit = Unit(1);
    /// Input read from a cache.
    pub const CACHE_READ: Unit = Unit(2);
    /// Input written to a cache, all lifetimes.
    pub const CACHE_WRITE: Unit = Unit(3);
    /// Cache writes that live 5 minutes.
    pub const CACHE_WRITE_5M: Unit = Unit(4);
    /// Cache writes that live 1 hour.
    pub const CACHE_WRITE_1H: Unit = Unit(5);
    /// Audio input.
    pub const INPUT_AUDIO: Unit = Unit(12);
    /// Audio output.
    pub const OUTPUT_AUDIO: Unit = Unit(13);
    /// Image input.
    pub const INPUT_IMAGE: Unit = Unit(18);
    /// Image output.
    pub const OUTPUT_IMAGE: Unit = Unit(19);
    /// Reasoning output.
    pub const REASONING: Unit = Unit(35);
    /// Characters read.
    pub const INPUT_CHARACTERS: Unit = Unit(45);
    /// Audio by its length, heard and spoken.
    pub const AUDIO_SECONDS: Unit = Unit(47);
    /// Audio heard.
    pub const INPUT_AUDIO_SECONDS: Unit = Unit(48);
    /// Audio spoken.
    pub const OUTPUT_AUDIO_SECONDS: Unit = Unit(49);
    /// Pages of documents read.
    pub const INPUT_PAGES: Unit = Unit(51);
    /// Searches that a reranking is billed as.
    pub const RERANK_SEARCHES: Unit = Unit(53);
    /// Searches of the web.
    pub const WEB_SEARCHES: Unit = Unit(54);
    /// Images read.
    pub const INPUT_IMAGES: Unit = Unit(58);
    /// Images made.
    pub const OUTPUT_IMAGES: Unit = Unit(59);
    /// Calls of the API.
    pub const REQUESTS: Unit = Unit((UNITS - 2) as u8);
    /// Every unit: what a rule holds for that names none. It is never counted.
    pub const ANY: Unit = Unit((UNITS - 1) as u8);

    /// Every unit, in the order of the table.
    pub fn all() -> impl Iterator<Item = Unit> {
        (0..UNITS as u8).map(Unit)
    }

    /// The unit at a place of the table.
    pub(super) fn at(index: usize) -> Option<Unit> {
        (index < UNITS).then_some(Unit(index as u8))
    }

    /// The unit of that name; `reasoning_tokens` is taken for `output_reasoning_tokens`.
    pub fn named(name: &str) -> Option<Unit> {
        let name = if name == "reasoning_tokens" { "output_reasoning_tokens" } else { name };
        Unit::all().find(|u| u.name() == name && *u != Unit::ANY)
    }

    /// The unit of a stored price row: [`Unit::named`], or [`Unit::ANY`].
    pub fn stored(name: &str) -> Option<Unit> {
        Unit::named(name).or_else(|| (name == Unit::ANY.name()).then_some(Unit::ANY))
    }

    /// The unit a price key of genai-prices is for, such as `cache_read_mtok`.
    pub fn of_book_key(key: &str) -> Option<Unit> {
        Unit::all().find(|u| u.definition().book_key == key && *u != Unit::ANY)
    }

    /// Name, such as `cache_read_tokens`.
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// Quantity its price is quoted for, such as 1 000 000 tokens.
    pub fn per_quantity(self) -> i64 {
        self.definition().per_quantity
    }

    /// Place in the table, below [`UNITS`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Whether everything counted in `part` is counted in this unit too; a unit contains itself.
    pub fn contains(self, part: Unit) -> bool {
        let (whole, part) = (self.definition().features, part.definition().features);
        whole & part == whole
    }

    /// How specific the unit is: a part is always more specific than its whole.
    pub fn depth(self) -> u32 {
        self.definition().features.count_ones()
    }

    /// Prompt side, completion side or neither.
    pub fn direction(self) -> Direction {
        match self.definition().features & (IN | OUT) {
            IN => Direction::Input,
            OUT => Direction::Output,
            _ => Direction::Neither,
        }
    }

    /// Whether providers are known to bill the unit at another rate than the unit around it, so
    /// that taking the rate of the whole for want of its own is worth a remark. Reasoning, text
    /// and citation tokens are billed as what contains them unless a price says otherwise, and so
    /// is everything that is no tokens.
    pub fn usually_has_own_price(self) -> bool {
        let features = self.definition().features;
        features & TOKENS != 0
            && features & (READ | WRITE | TTL_1H | AUDIO | IMAGE | VIDEO) != 0
            && self != Unit::CACHE_WRITE_5M
    }

    /// Whether it measures what tokens may measure too: images, audio and video by their length,
    /// characters, messages, pixels, pages, searches of a reranking.
    pub fn measures_the_call(self) -> bool {
        self.definition().features & MEASURES != 0
    }

    /// Whether it is counted beside the call itself: searches and code that its tools ran, and the
    /// request.
    pub fn is_beside_the_call(self) -> bool {
        self.definition().features & BESIDE != 0
    }

    fn definition(self) -> &'static Definition {
        &TABLE[self.index()]
    }
}

impl std::fmt::Display for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::fmt::Debug for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_point_at_their_names() {
        let named = [
            (Unit::INPUT, "input_tokens"),
            (Unit::OUTPUT, "output_tokens"),
            (Unit::CACHE_READ, "cache_read_tokens"),
            (Unit::CACHE_WRITE, "cache_write_tokens"),
            (Unit::CACHE_WRITE_5M, "cache_write_5m_tokens"),
            (Unit::CACHE_WRITE_1H, "cache_write_1h_tokens"),
            (Unit::INPUT_AUDIO, "input_audio_tokens"),
            (Unit::OUTPUT_AUDIO, "output_audio_tokens"),
            (Unit::INPUT_IMAGE, "input_image_tokens"),
            (Unit::OUTPUT_IMAGE, "output_image_tokens"),
            (Unit::WEB_SEARCHES, "web_searches"),
            (Unit::INPUT_CHARACTERS, "input_characters"),
            (Unit::AUDIO_SECONDS, "audio_seconds"),
            (Unit::INPUT_AUDIO_SECONDS, "input_audio_seconds"),
            (Unit::OUTPUT_AUDIO_SECONDS, "output_audio_seconds"),
            (Unit::INPUT_PAGES, "input_document_pages"),
            (Unit::RERANK_SEARCHES, "rerank_searches"),
            (Unit::INPUT_IMAGES, "input_images"),
            (Unit::OUTPUT_IMAGES, "output_images"),
            (Unit::REASONING, "reasoning_tokens"),
            (Unit::REQUESTS, "requests"),
        ];
        for (unit, name) in named {
            assert_eq!(Unit::named(name), Some(unit));
        }
    }

    #[test]
    fn containment_follows_the_features() {
        let contains = |a, b| Unit::named(a).unwrap().contains(Unit::named(b).unwrap());
        assert!(contains("input_tokens", "cache_audio_read_tokens"));
        assert!(contains("input_audio_tokens", "cache_audio_read_tokens"));
        assert!(contains("cache_write_tokens", "cache_write_1h_tokens"));
        assert!(contains("audio_seconds", "input_audio_seconds"));
        assert!(!contains("audio_seconds", "input_video_seconds"));
        assert!(!contains("input_image_tokens", "input_images"));
        assert!(!contains("input_images", "output_images"));
        assert!(!contains("cache_read_tokens", "input_tokens"));
        assert!(!contains("output_tokens", "cache_read_tokens"));
        assert!(!contains("web_searches", "storage_searches"));
    }
}
