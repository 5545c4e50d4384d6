"""Headers of exports in one form: what is only style is taken away, what carries meaning (units, tax) is kept."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_BRACKETS = re.compile(r"[(\[【〔<《{「]([^)\]】〕>》}」]*)[)\]】〕>》}」]")
# These words in brackets change what an amount is, so they stay: 金额(含税) is not 金额.
_MEANING = re.compile(r"含税|未税|价税|税前|税后|折前|折后|gross|\bnet\b|\bincl|\bexcl|\btax|\bvat", re.IGNORECASE)
_LATIN = re.compile(r"[À-ɏ]")
_UNIT = re.compile(
    r"(百万元|千万元|亿元|万元|千元|百元|百万|千万|亿|万|千|元|thousands?|millions?|mio|mn|mm|tsd|000s?|k|m|%)s?\.?$"
)
_SCALE_WORDS = {
    "thousands": "thousand", "millions": "million", "mio": "million", "mn": "million", "mm": "million",
    "tsd": "thousand", "000": "thousand", "000s": "thousand",
}  # fmt: skip
_MONEY = re.compile(
    r"[$€£¥￥'’]|\b(?:rmb|cny|usd|eur|gbp|hkd|twd|ntd?|jpy|inr|aud|cad|chf|sgd|in)\b|人民币|美元|港币|欧元|单位|[:：]"
)

# Traditional characters of business headers and their simplified forms, pair by pair.
_PAIRS = (
    "訂订單单編编號号戶户稱称產产數数價价銷销額额總总計计稅税發发貨货區区員员業业務务負负責责門门團团隊队類类別别階阶狀状態态預预測测實实際际"
    "結结創创時时間间後后聯联絡络電电話话線线來来競竞爭争對对輸输贏赢機机會会當当應应項项備备註注說说優优級级層层關关閉闭開开啟启執执劃划標标"
    "準准達达績绩個个組组織织職职倉仓庫库採采購购買买賣卖專专師师選选擇择進进險险處处問问題题滿满評评訴诉議议歷历變变舊旧動动週周幣币種种匯汇"
    "淨净損损費费運运國国縣县東东華华廣广灣湾臺台無无與与為为於于點点網网頁页碼码檔档簽签約约條条據据憑凭證证帳账賬账儲储簡简體体確确認认審审"
    "導导請请寫写屬属從从將将還还邊边過过遠远適适郵邮訊讯傳传報报統统圖图書书學学習习響响檢检監监顧顾維维護护續续擴扩潛潜質质訪访談谈驗验擁拥"
    "權权領领轉转換换徵征獎奖勵励歸归財财貿贸餘余現现環环觀观樣样規规範范圍围廠厂製制連连鎖锁鋪铺舖铺劑剂齡龄歲岁鐘钟"
)
_SIMPLE = str.maketrans(_PAIRS[::2], _PAIRS[1::2])
_TRADITIONAL = str.maketrans(_PAIRS[1::2], _PAIRS[::2])

# Short and other forms of words in English headers, for the loose form only.
_WORDS = {
    "cust": "customer", "custs": "customer", "client": "customer", "clients": "customer", "acct": "account",
    "acc": "account", "opp": "opportunity", "oppty": "opportunity", "opportunities": "opportunity",
    "companies": "company", "categories": "category", "prod": "product", "qty": "quantity", "qnty": "quantity",
    "quantities": "quantity", "amt": "amount", "amnt": "amount", "val": "value", "inv": "invoice", "ord": "order",
    "ordered": "order", "prob": "probability", "disc": "discount", "rev": "revenue", "cat": "category",
    "dept": "department", "mgr": "manager", "emp": "employee", "desc": "description", "descr": "description",
    "terr": "territory", "est": "estimated", "exp": "expected", "tot": "total", "cur": "currency", "curr": "currency",
    "ccy": "currency", "pct": "percent", "perc": "percent", "percentage": "percent", "%": "percent",
    "no": "id", "nr": "id", "num": "id", "nbr": "id", "number": "id", "numbers": "id", "code": "id", "key": "id",
    "identifier": "id", "#": "id", "dt": "date", "timestamp": "date", "datetime": "date", "time": "date", "at": "date",
    "on": "date", "day": "date", "create": "created", "creation": "created", "close": "closed", "closing": "closed",
    "ext": "extended", "trx": "transaction", "trans": "transaction", "txn": "transaction", "rep": "representative",
    "reps": "representative",
}  # fmt: skip
_FILLERS = frozenset(
    (
        "the",
        "of",
        "for",
        "a",
        "an",
        "in",
        "and",
        "per",
        "field",
        "usd",
        "eur",
        "cny",
        "rmb",
        "gbp",
        "k",
        "thousand",
        "million",
    )
)
_CHINESE_FILLERS = re.compile(r"的|必填|选填|请填写|请选择|请输入|字段")
_PARTS = re.compile(r"[.:：|>/\\\-–—_·]+")


# Words that only repeat what table a header is in: `Deal pipeline` in deals is the pipeline.
_CONTEXT = {
    "transactions": ("order transaction sale line item", "销售订单|订单|销售|销货|交易|订货|出库"),
    "deals": ("deal opportunity lead", "销售机会|业务机会|商机|机会|线索|项目"),
    "customers": ("customer account", "客户|会员|客商"),
    "people": ("employee sale staff", "员工|人员|业务员|销售"),
    "products": ("product item", "产品|商品|物料|存货|货品"),
    "activities": ("activity visit call meeting", "活动|拜访|跟进"),
    "targets": ("target", "目标|考核"),
    "feedback": ("ticket case issue feedback", "工单|投诉|反馈|服务|问题"),
    "register": ("task action risk issue", "任务|事项|行动|风险"),
}


@lru_cache(maxsize=16384)
def within(header: str, table: str) -> frozenset[str]:
    """Return the loose forms of a header without the words that name the table it is in.

    >>> within("Deal pipeline", "deals"), within("商机所有人", "deals")
    (frozenset({'~pipeline'}), frozenset({'所有人'}))
    """
    english, chinese = _CONTEXT.get(table, ("", "$^"))
    forms = set()
    for form in loose(header) | {normalise(header)}:
        if form.startswith("~"):
            rest = [word for word in form[1:].split() if word not in english.split()]
            forms.add("~" + " ".join(rest) if rest else form)
        else:
            forms.add(re.sub(f"^(?:{chinese})(?=..)", "", form))
    return frozenset(forms - loose(header) - {normalise(header)})


def simplified(header: str) -> str:
    """Return a text with simplified characters, half-width forms and without accents."""
    text = unicodedata.normalize("NFKC", header).strip().translate(_SIMPLE)
    if text.isascii():
        return text
    # é is e, but the marks of other scripts are letters (が is not か).
    return (
        re.sub(r"(?<=[A-Za-z])[\u0300-\u036f]+", "", unicodedata.normalize("NFD", text))
        if _LATIN.search(text)
        else text
    )


@lru_cache(maxsize=16384)
def normalise(header: str) -> str:
    """Return a header or code without what does not matter: case, spaces, `*`, `_`, brackets, full-width forms.

    Traditional Chinese becomes simplified; brackets about tax stay.

    >>> [normalise(each) for each in ("Order_Date", "OrderDate", "＊订单 ID", "金额（万元）", "省/自治区")]
    ['orderdate', 'orderdate', '订单id', '金额', '省自治区']
    >>> normalise("訂單編號(必填)"), normalise("金额(含税)")
    ('订单编号', '金额含税')
    """
    text = simplified(header)
    outside = _BRACKETS.sub(lambda found: found[1] if _MEANING.search(found[1]) else "", text)
    kept = re.sub(r"[^\w%]|_", "", (outside or text).lower())
    return kept or text.lower()


@lru_cache(maxsize=16384)
def loose(header: str) -> frozenset[str]:
    """Return the weaker forms of a header, for when its exact form is nobody's alias.

    English: its words in any order, short forms written out, singular, camel case and separators split. Chinese: the
    part after a separator, a unit at the end and fillers taken away.

    >>> loose("Cust. No.") == loose("customer_number") == loose("CustomerID")
    True
    >>> "订单金额" in loose("销售订单-订单的金额/万元")
    True
    """
    text = _BRACKETS.sub(
        lambda found: f" {found[1]} " if _MEANING.search(found[1]) else " ", simplified(header)
    ).strip()
    if not text:
        return frozenset()
    if re.search(r"[一-鿿]", text):
        return _chinese_forms(text)
    # The last part also stands alone: `Deal - Expected close date`, `Account: Region`.
    parts = {text, re.split(r"\s[-–—|>/]\s|:\s?|\.(?=\w)", text)[-1]}
    forms = {_english_form(each) for each in parts}
    return frozenset(forms - {""})


def _english_form(text: str) -> str:
    split = re.sub(r"(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    words = {_word(each) for each in re.findall(r"[^\W_]+|[#%]", split.lower())} - _FILLERS
    return "~" + " ".join(sorted(words)) if words else ""


def _word(word: str) -> str:
    word = _WORDS.get(word, word)
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def has_tax(name: str) -> bool:
    """Say whether a normalised header calls an amount one that includes tax.

    >>> [has_tax(normalise(each)) for each in ("合同总金额(含税)", "不含税金额", "Total incl. VAT", "Net amount")]
    [True, False, True, False]
    """
    return bool(
        re.search(
            r"(?<!不)(?<!未)含税|价税合计|incl?(?:uding|usive)?(?:of)?(?:vat|tax|gst)|withtax|tax(?:es)?incl", name
        )
    )


def _chinese_forms(text: str) -> frozenset[str]:
    parts = [each for each in _PARTS.split(text) if each.strip()]
    if len(parts) > 1 and _UNIT.fullmatch(_MONEY.sub("", parts[-1]).strip().lower() or "x"):
        parts.pop()
    forms: set[str] = set()
    for each in {parts[-1], "".join(parts)} if parts else set():
        bare = _CHINESE_FILLERS.sub("", normalise(each))
        forms.update((bare, re.sub(r"(?<=.{2})(百万元|万元|亿元|千元|元)$", "", bare)))
        if re.search(r"金额|价|额|收入", bare) and "税" in bare and not re.search(r"税额|税率|税金|单价", bare):
            forms.add("不含税金额" if re.search(r"[不未无]含?税", bare) else "含税金额")
    return frozenset(forms - {normalise(text), ""})


def unit(header: str) -> str | None:
    """Return the unit that a header names: in brackets, or after a separator at its end.

    >>> unit("金额（万元）"), unit("金额"), unit("销售额/万元"), unit("Revenue (USD thousands)"), unit("Sales_k$")
    ('万元', None, '万元', 'thousand', 'k')
    """
    text = simplified(header)
    found = [each for each in _BRACKETS.findall(text) if each.strip() and not _MEANING.search(each)]
    if found:
        return _plain_unit(found[-1]) or found[-1].strip()
    parts = [each for each in _PARTS.split(text) if each.strip()]
    if len(parts) > 1:
        return _plain_unit(parts[-1])
    ending = re.search(r"(?<=[一-鿿])(?:百万元|千万元|万元|亿元|千元)$|(?<=\sin\s)\S+$", text)
    return _plain_unit(ending[0]) if ending else None


def _plain_unit(text: str) -> str | None:
    """Return `k` for `k€`, `thousand` for `USD thousands`: the scale without the currency."""
    bare = _MONEY.sub(" ", text.lower().replace("_", " ")).strip()
    found = _UNIT.fullmatch(bare)
    return _SCALE_WORDS.get(found[1], found[1].removesuffix("s")) if found else None


def unit_in_title(title: str) -> str | None:
    """Return the unit of money that a title says for the whole table.

    >>> unit_in_title("2026年销售情况（万元）"), unit_in_title("单位：千元"), unit_in_title("Sales in thousands")
    ('万元', '千元', 'thousand')
    """
    told = re.search(
        r"单位[:：为]?\s*(?:人民币)?([^\s)）,，;；]+)|[(（](?:人民币)?([百千]?[万亿千]元?|元)[)）]"
        r"|\bin ([kKmM]|thousands?|millions?)\b",
        title,
    )
    return unit(f"x({told[1] or told[2] or told[3]})") if told else None


def traditional(text: str) -> str:
    """Return the traditional Chinese spelling of a text.

    >>> traditional("赢单")
    '贏單'
    """
    return text.translate(_TRADITIONAL)
