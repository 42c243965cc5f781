"""Mail hosts and addresses that say nothing on who owns them."""

from __future__ import annotations

import re

FREE_MAIL = frozenset(
    """
    gmail.com googlemail.com yahoo.com yahoo.co.jp ymail.com ymail.ne.jp hotmail.com hotmail.co.jp
    outlook.com outlook.jp live.com live.jp msn.com icloud.com me.com mac.com aol.com aol.jp
    gmx.com gmx.de gmx.net web.de mail.com mail.ru yandex.ru yandex.com proton.me protonmail.com
    pm.me zoho.com fastmail.com tutanota.com hey.com inbox.com qq.com 163.com 126.com sina.com
    foxmail.com naver.com daum.net hanmail.net rediffmail.com docomo.ne.jp ezweb.ne.jp au.com
    softbank.ne.jp i.softbank.jp softbank.jp vodafone.ne.jp disney.ne.jp willcom.com ymobile.ne.jp
    rakuten.jp rakumail.jp nifty.com nifty.ne.jp biglobe.ne.jp ocn.ne.jp ocn.jp so-net.ne.jp
    plala.or.jp asahi-net.or.jp dion.ne.jp odn.ne.jp infoweb.ne.jp infoseek.jp excite.co.jp goo.jp
    goo.ne.jp mail.goo.ne.jp livedoor.com jcom.home.ne.jp jcom.zaq.ne.jp zaq.ne.jp eonet.ne.jp hi-
    ho.ne.jp dti.ne.jp wakwak.com tiki.ne.jp kcn.ne.jp t-com.ne.jp bbiq.jp mineo.jp uqmobile.jp
    comcast.net verizon.net att.net sbcglobal.net cox.net charter.net bellsouth.net btinternet.com
    orange.fr wanadoo.fr free.fr laposte.net t-online.de libero.it virgilio.it terra.com.br
    uol.com.br bigpond.com shaw.ca rogers.com yahoo.co.uk yahoo.fr yahoo.de hotmail.co.uk
    hotmail.fr live.co.uk
    """.split()  # noqa: SIM905 - a hundred of them are read more easily so
)
_FREE_FAMILIES = re.compile(
    r"(^|\.)((biglobe|ocn|so-net|nifty|plala|asahi-net|dion|odn|eonet|zaq|dti|hi-ho|infoweb|ezweb|docomo|softbank)\."
    r"(ne\.jp|or\.jp|com|jp)|jcom\.(home\.ne|zaq\.ne|ne)\.jp)$"
)
_SHARED_BOX = re.compile(
    r"^(?:"
    r"info|information|sales|contact|support|admin|administrator|office|mail|"
    r"postmaster|webmaster|hello|help|inquiry|inquiries|toiawase|otoiawase|soumu|"
    r"somu|jinji|keiri|eigyo|koho|kouhou|press|pr|hr|recruit|saiyo|marketing|"
    r"service|team|noreply|no-reply|donotreply|billing|accounts|accounting|purchase|"
    r"purchasing|koubai|order|orders|reception|uketsuke|honsha|all|staff|customer|"
    r"cs|dm|news|newsletter|test"
    r")(?:[._+-]?(?:jp|japan|tokyo|us|eu|\d+))?$"
)


def is_free_mail(host: str | None) -> bool:
    """Whether anyone may have an address at this host: it says nothing on the company."""
    return bool(host) and (host in FREE_MAIL or _FREE_FAMILIES.search(host or "") is not None)


def is_shared_box(email: str | None) -> bool:
    """Whether an address is read by several people: info@, sales@, 総務."""
    return bool(email) and _SHARED_BOX.match((email or "").partition("@")[0]) is not None
