"""Reads money, percentages, measurements, temperatures and telephone numbers.

Amounts of money become words. Of a measurement only the unit becomes a word and the number is left
to the number rules, so '5-10 km' needs no rule of its own.
"""

import re

from latentspeech.text.normalizer.numbers import cardinal, decimal, digits

_CURRENCIES = {  # sign or code -> one, many, one hundredth, hundredths
    "$": ("dollar", "dollars", "cent", "cents"),
    "\u00a3": ("pound", "pounds", "penny", "pence"),
    "\u20ac": ("euro", "euros", "cent", "cents"),
    "\u00a5": ("yen", "yen", "sen", "sen"),
    "\u20b9": ("rupee", "rupees", "paisa", "paise"),
    "\u20a9": ("won", "won", "jeon", "jeon"),
    "\u20bd": ("ruble", "rubles", "kopeck", "kopecks"),
    "\u20bf": ("bitcoin", "bitcoins", "cent", "cents"),
}
_CODES = {"USD": "$", "GBP": "\u00a3", "EUR": "\u20ac", "JPY": "\u00a5", "INR": "\u20b9"}
_COUNTRIES = {
    "US": "U S ",
    "A": "Australian ",
    "C": "Canadian ",
    "NZ": "New Zealand ",
    "HK": "Hong Kong ",
}
_MAGNITUDES = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion"}
_MAGNITUDES |= {"t": "trillion", "tn": "trillion"}
_SIGNS = "".join(map(re.escape, _CURRENCIES))
_AMOUNT = r"(\d{1,3}(?:,\d{3})+|\d{1,21})(\.\d{1,9})?(?![\d,]*\d)"
_MAGNITUDE = (
    r"(?:\s?-?(thousand|million|billion|trillion|quadrillion|mn|bn|tn|[kKmMbBtT])(?![A-Za-z0-9]))?"
)
_SIGN_RANGE = re.compile(rf"(?<=[\dkmbKMB])\s?-\s?(?=[{_SIGNS}]\d)")
_SIGN_FIRST_RANGE = re.compile(rf"([{_SIGNS}])\s?(\d[\d.,]{{0,20}})-(?=\d)")
_SIGN_FIRST = re.compile(rf"(-\s?)?(?:\b(US|NZ|HK|A|C))?([{_SIGNS}])\s?{_AMOUNT}{_MAGNITUDE}")
_CODE_FIRST = re.compile(rf"\b({'|'.join(_CODES)})\s?{_AMOUNT}{_MAGNITUDE}")
_CODE_LAST = re.compile(
    rf"(?<![\d.,]){_AMOUNT}{_MAGNITUDE}\s?({'|'.join(_CODES)}|[{_SIGNS}])(?!\w)"
)
_CENTS = re.compile(r"(?<![\d.,])(\d{1,9})\s?\u00a2")
_PER = re.compile(
    r"(?<=dollars|pounds )/(?=[a-z])|(?<=[a-z])/(?=(?:month|year|day|week|hour|person)\b)"
)


def read_money(text: str) -> str:
    """'$3.50' -> 'three dollars and fifty cents', '$2 million' -> 'two million dollars'."""
    text = _SIGN_RANGE.sub(" to ", text)
    text = _SIGN_FIRST_RANGE.sub(_read_money_range, text)
    text = _SIGN_FIRST.sub(
        lambda m: ("minus " if m[1] else "") + _amount(m[3], m[4], m[5], m[6], m[2]), text
    )
    text = _CODE_FIRST.sub(lambda m: _amount(_CODES[m[1]], m[2], m[3], m[4]), text)
    text = _CODE_LAST.sub(lambda m: _amount(_CODES.get(m[4], m[4]), m[1], m[2], m[3]), text)
    text = _CENTS.sub(lambda m: f"{cardinal(m[1])} {'cent' if m[1] == '1' else 'cents'}", text)
    return _PER.sub(" per ", text)


def _read_money_range(match: re.Match[str]) -> str:
    """'$5-10' -> 'five to $10': the currency is said once, at the end."""
    return f"{decimal(match[2].rstrip('.,').replace(',', ''))} to {match[1]}"


def _amount(
    sign: str, whole: str, fraction: str | None, magnitude: str | None, country: str | None = None
) -> str:
    one, many, cent, cents = _CURRENCIES[sign]
    prefix = _COUNTRIES[country] if country else ""
    if magnitude:
        name = _MAGNITUDES.get(magnitude.lower(), magnitude)
        return f"{decimal(whole + (fraction or ''))} {name} {prefix}{many}"
    unit = prefix + (one if whole == "1" else many)
    if not fraction or fraction == ".00":
        return f"{cardinal(whole)} {unit}"
    if len(fraction) != 3:
        return f"{decimal(whole + fraction)} {prefix}{many}"
    number = fraction[1:].lstrip("0")
    small = f"{cardinal(number)} {cent if number == '1' else cents}"
    return small if whole.strip("0") == "" else f"{cardinal(whole)} {unit} and {small}"


_UNITS = {  # written -> one, many
    "km": ("kilometer", "kilometers"), "m": ("meter", "meters"),
    "cm": ("centimeter", "centimeters"), "mm": ("millimeter", "millimeters"),
    "\u03bcm": ("micrometer", "micrometers"), "nm": ("nanometer", "nanometers"),
    "mi": ("mile", "miles"), "yd": ("yard", "yards"), "ft": ("foot", "feet"),
    "in.": ("inch", "inches"), "sq ft": ("square foot", "square feet"),
    "kg": ("kilogram", "kilograms"), "g": ("gram", "grams"), "mg": ("milligram", "milligrams"),
    "\u03bcg": ("microgram", "micrograms"), "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"),
    "oz": ("ounce", "ounces"), "l": ("liter", "liters"), "L": ("liter", "liters"),
    "ml": ("milliliter", "milliliters"), "mL": ("milliliter", "milliliters"),
    "cl": ("centiliter", "centiliters"), "gal": ("gallon", "gallons"),
    "ha": ("hectare", "hectares"), "tsp": ("teaspoon", "teaspoons"),
    "tbsp": ("tablespoon", "tablespoons"), "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"), "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"), "W": ("watt", "watts"), "kW": ("kilowatt", "kilowatts"),
    "MW": ("megawatt", "megawatts"), "GW": ("gigawatt", "gigawatts"),
    "kWh": ("kilowatt hour", "kilowatt hours"), "V": ("volt", "volts"),
    "mV": ("millivolt", "millivolts"), "kV": ("kilovolt", "kilovolts"),
    "mA": ("milliampere", "milliamperes"), "mAh": ("milliampere hour", "milliampere hours"),
    "\u03a9": ("ohm", "ohms"), "s": ("second", "seconds"), "sec": ("second", "seconds"),
    "secs": ("second", "seconds"), "ms": ("millisecond", "milliseconds"),
    "\u03bcs": ("microsecond", "microseconds"), "ns": ("nanosecond", "nanoseconds"),
    "min": ("minute", "minutes"), "mins": ("minute", "minutes"), "h": ("hour", "hours"),
    "hr": ("hour", "hours"), "hrs": ("hour", "hours"), "KB": ("kilobyte", "kilobytes"),
    "kB": ("kilobyte", "kilobytes"), "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"), "TB": ("terabyte", "terabytes"),
    "KiB": ("kibibyte", "kibibytes"), "MiB": ("mebibyte", "mebibytes"),
    "GiB": ("gibibyte", "gibibytes"), "kbps": ("kilobit per second", "kilobits per second"),
    "Mbps": ("megabit per second", "megabits per second"),
    "Gbps": ("gigabit per second", "gigabits per second"),
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "kph": ("kilometer per hour", "kilometers per hour"),
    "mph": ("mile per hour", "miles per hour"), "m/s": ("meter per second", "meters per second"),
    "dB": ("decibel", "decibels"), "Pa": ("pascal", "pascals"),
    "kPa": ("kilopascal", "kilopascals"),
    "rpm": ("revolution per minute", "revolutions per minute"),
    "bpm": ("beat per minute", "beats per minute"),
    "fps": ("frame per second", "frames per second"), "px": ("pixel", "pixels"),
    "kcal": ("kilocalorie", "kilocalories"), "cal": ("calorie", "calories"),
    "kJ": ("kilojoule", "kilojoules"), "mol": ("mole", "moles"), "K": ("kelvin", "kelvin"),
}  # fmt: skip
_NAMES = "|".join(map(re.escape, sorted(_UNITS, key=len, reverse=True)))
_ONE = r"(?:(?<![\d.,-])(1)|(?<=\d))"
_THOUSANDS = re.compile(r"(?<![\w.,])(\d[\d.,]{0,30}(?:[kM]|(?<=\d\d)K))(?![\w/])")
_PERCENT = re.compile(r"(?<=\d)\s?%")
_TEMPERATURE = re.compile(
    rf"{_ONE}\s?(?:(?:\u00b0|degrees?|deg)\s?(C|F|Celsius|Fahrenheit)|(C|F)(?:\s+degrees?)?)(?![\w'-])"
)
_UNIT = re.compile(rf"{_ONE}[\s-]?({_NAMES})(?:\^?([23]))?(?![\w/'^])(\.(?=\s+[a-z]))?")
_FEET_INCHES = re.compile(r"(?<![\d.])(\d{1,3})'\s?(\d{1,2})\"")
_THOUSAND_NAMES = {"k": "thousand", "K": "thousand", "M": "million"}
_SCALES = {"C": "Celsius", "F": "Fahrenheit"}


def read_units(text: str) -> str:
    """'5 km' -> '5 kilometers', '20 C' -> '20 degrees Celsius', '50%' -> '50 percent'."""
    text = _FEET_INCHES.sub(r"\1 feet \2 inches", text)
    text = _TEMPERATURE.sub(_read_temperature, text)
    text = _THOUSANDS.sub(lambda m: f"{m[1][:-1]} {_THOUSAND_NAMES[m[1][-1]]}", text)
    text = _UNIT.sub(_read_unit, text)
    return _PERCENT.sub(" percent", text)


def _read_temperature(match: re.Match[str]) -> str:
    scale = match[2] or match[3]
    unit = "degree" if match[1] else "degrees"
    return f"{match[1] or ''} {unit} {_SCALES.get(scale, scale)}"


def _read_unit(match: re.Match[str]) -> str:
    before = match.string[match.start(2) - 1]
    if (match[2] == "s" and before == "0") or (match[2] == "K" and before.isdigit()):
        return match[0]  # '1990s' is a decade, and the K of a '4K' screen is not kelvin
    one, many = _UNITS[match[2]]
    power = {"2": "square ", "3": "cubic "}.get(match[3] or "", "")
    return f"{match[1] or ''} {power}{one if match[1] else many}"


_PHONE = re.compile(
    r"(?<![\w.,-])(\+?\d{1,3}[ .-])?(?:\((\d{3})\) ?|(\d{3})[ .-])(\d{3})[ .-](\d{4})(?![\w-]|\.\d)"
)
_LOCAL_PHONE = re.compile(r"(?<![\w.,-])(\d{3})-(\d{4})(?![\w-]|[.,]\d)")
_INTERNATIONAL = re.compile(r"(?<!\w)\+\d{1,3}(?:[ .-]?\(?\d{1,5}\)?){2,6}(?!\w)")


def read_phones(text: str) -> str:
    """'(555) 123-4567' -> 'five five five, one two three, four five six seven'."""
    text = _PHONE.sub(_read_phone, text)
    text = _INTERNATIONAL.sub(lambda m: "plus " + _groups(re.findall(r"\d+", m[0])), text)
    return _LOCAL_PHONE.sub(lambda m: _groups([m[1], m[2]]), text)


def _read_phone(match: re.Match[str]) -> str:
    country = match[1] or ""
    groups = [
        part for part in (country.strip("+ .-"), match[2] or match[3], match[4], match[5]) if part
    ]
    return ("plus " if country.startswith("+") else "") + _groups(groups)


def _groups(parts: list[str]) -> str:
    return ", ".join(digits(part) for part in parts)
