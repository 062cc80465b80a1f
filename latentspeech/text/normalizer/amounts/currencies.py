"""The currencies that are read: signs and codes, with the words for one, many and hundredths."""

from typing import NamedTuple


class Currency(NamedTuple):
    """Words for one and many of a currency, and for one and many hundredths of it."""

    one: str
    many: str
    cent: str
    cents: str


def _dollar(country: str) -> Currency:
    return Currency(f"{country} dollar", f"{country} dollars", "cent", "cents")


SIGNS = {
    "$": Currency("dollar", "dollars", "cent", "cents"),
    "\u00a3": Currency("pound", "pounds", "penny", "pence"),
    "\u20ac": Currency("euro", "euros", "cent", "cents"),
    "\u00a5": Currency("yen", "yen", "sen", "sen"),
    "\u20b9": Currency("rupee", "rupees", "paisa", "paise"),
    "\u20a9": Currency("won", "won", "jeon", "jeon"),
    "\u20bd": Currency("ruble", "rubles", "kopeck", "kopecks"),
    "\u20bf": Currency("bitcoin", "bitcoins", "cent", "cents"),
}
# Written before the sign, as in 'CA$30'; 'R$' is no dollar.
COUNTRIES = {
    "US": _dollar("U S"),
    "AU": _dollar("Australian"),
    "A": _dollar("Australian"),
    "CA": _dollar("Canadian"),
    "C": _dollar("Canadian"),
    "NZ": _dollar("New Zealand"),
    "HK": _dollar("Hong Kong"),
    "SG": _dollar("Singapore"),
    "S": _dollar("Singapore"),
    "NT": _dollar("Taiwan"),
    "MX": Currency("Mexican peso", "Mexican pesos", "centavo", "centavos"),
    "R": Currency("real", "reais", "centavo", "centavos"),
}
CODES = {
    "USD": SIGNS["$"],
    "GBP": SIGNS["\u00a3"],
    "EUR": SIGNS["\u20ac"],
    "JPY": SIGNS["\u00a5"],
    "INR": SIGNS["\u20b9"],
    "KRW": SIGNS["\u20a9"],
    "CAD": COUNTRIES["CA"],
    "AUD": COUNTRIES["AU"],
    "NZD": COUNTRIES["NZ"],
    "HKD": COUNTRIES["HK"],
    "SGD": COUNTRIES["SG"],
    "MXN": COUNTRIES["MX"],
    "BRL": COUNTRIES["R"],
    "CHF": Currency("Swiss franc", "Swiss francs", "centime", "centimes"),
    "CNY": Currency("yuan", "yuan", "fen", "fen"),
    "RMB": Currency("yuan", "yuan", "fen", "fen"),
    "SEK": Currency("Swedish krona", "Swedish kronor", "ore", "ore"),
    "NOK": Currency("Norwegian krone", "Norwegian kroner", "ore", "ore"),
    "DKK": Currency("Danish krone", "Danish kroner", "ore", "ore"),
    "PLN": Currency("zloty", "zlotys", "grosz", "groszy"),
    "ZAR": Currency("rand", "rand", "cent", "cents"),
    "BTC": SIGNS["\u20bf"],
}
