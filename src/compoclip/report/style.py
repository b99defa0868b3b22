"""The page's looks: one column that fits a phone, light and dark, colours that colour-blind readers can tell apart."""

# Okabe and Ito's palette (jfly.uni-koeln.de/color), darkened or lightened where the ground asks for it.
LIGHT = ("#3c4043", "#0072b2", "#c44f00", "#00805d", "#a8487f", "#9a6a00", "#2f7fb8", "#6b4fa0", "#7a7a00")
DARK = ("#d5d8dc", "#5cb3ee", "#ff9450", "#3fcf9f", "#ec9cc8", "#f0b840", "#8fd0ff", "#b9a2f0", "#d8d84a")


def _vars(colours: tuple[str, ...]) -> str:
    return "".join(f"--c{i}:{c};" for i, c in enumerate(colours))


VARIABLES = (
    ":root{color-scheme:light dark;--bg:#fff;--card:#f6f7f9;--fg:#1b1f24;--soft:#5b6470;--line:#d9dde3;"
    "--good:#00694a;--bad:#a8380a;--goodbg:#d8f1e6;--badbg:#fbe3d6;" + _vars(LIGHT) + "}"
    "@media (prefers-color-scheme:dark){:root{--bg:#14171b;--card:#1d2228;--fg:#e9ecef;--soft:#a3adb8;--line:#343b44;"
    "--good:#5fdcae;--bad:#ff9d6b;--goodbg:#123a2d;--badbg:#452413;"
    + _vars(DARK)
    + "}}"
    + "".join(f".c{i}{{color:var(--c{i})}}" for i in range(9))
)
PLOTS = """
svg text{fill:var(--fg);font:13px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
svg .tick{fill:var(--soft);font-size:12px} svg .axis{font-size:13px;fill:var(--soft)}
svg .name{font-size:11px;fill:var(--soft)} svg .label{font-weight:600}
svg .grid{stroke:var(--line);stroke-width:1} svg .cross{stroke:var(--soft);stroke-width:1;stroke-dasharray:3 4}
svg g{fill:currentColor} svg g text{fill:var(--fg)}
svg .whisker{stroke:currentColor;stroke-width:1.4;opacity:.55}
svg .curve{fill:none;stroke:currentColor;stroke-width:2;opacity:.65}
svg .level{stroke:currentColor;stroke-width:1.6;stroke-dasharray:6 4}
svg .lead{stroke:var(--soft);stroke-width:1} svg .cloud{fill:var(--soft);opacity:.45}
svg .ring{fill:none;stroke:var(--fg);stroke-width:1.2}
"""
CSS = (
    VARIABLES
    + """
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1080px;margin:0 auto;padding:1.2rem 1rem 3rem}
h1{font-size:1.7rem;line-height:1.2;margin:.4rem 0 .8rem}
h2{font-size:1.25rem;margin:2.4rem 0 .5rem}
h3{font-size:1.02rem;margin:1.4rem 0 .4rem}
p{margin:.5rem 0;max-width:46rem}
.lead{font-size:1.12rem;border-left:4px solid var(--c1);padding:.1rem 0 .1rem .9rem;margin:1rem 0}
mark{background:none;color:inherit;font-weight:600;text-decoration:underline;text-underline-offset:3px}
.lead p{margin:.35rem 0}
.soft{color:var(--soft);font-size:.9rem}
.scroll{overflow-x:auto;margin:.6rem 0 .3rem;border:1px solid var(--line);border-radius:8px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.93rem}
th,td{padding:.45rem .5rem;text-align:right;border-bottom:1px solid var(--line);vertical-align:top;white-space:nowrap}
tr:last-child td,tr:last-child th{border-bottom:0}
thead th{font-weight:600;color:var(--soft);vertical-align:bottom;background:var(--card);white-space:normal;
 min-width:4.6rem;overflow-wrap:break-word}
thead th.whole{white-space:nowrap}
tr.extra td,tr.extra th{padding-top:.2rem;padding-bottom:.2rem;white-space:normal;font-weight:400}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--bg);z-index:1}
thead th:first-child{background:var(--card);min-width:7rem}
tbody th{font-weight:600}
td b{font-size:1.02rem}
td.text,thead th.text{white-space:normal;text-align:left;min-width:8rem}
pre{overflow-x:auto;font-size:.82rem}
td small,th small{display:block;color:var(--soft);font-weight:400;font-size:.76rem}
td.better{background:var(--goodbg)} td.better small{color:var(--good)}
td.worse{background:var(--badbg)} td.worse small{color:var(--bad)}
tr.mine td,tr.mine th{background:var(--card);font-weight:700}
.key{display:inline-block;width:14px;height:14px;vertical-align:-2px;margin-right:.4rem}
.key svg{width:14px;height:14px;display:block}
figure{margin:.8rem 0}
figcaption{color:var(--soft);font-size:.9rem;max-width:46rem}
figure svg{width:100%;height:auto;display:block}
.narrow{display:none}
@media (max-width:600px){.wide{display:none}.narrow{display:block}h1{font-size:1.4rem}.lead{font-size:1.03rem}
 th,td{padding:.4rem .5rem}table{font-size:.88rem}}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(255px,1fr));gap:.8rem}
.card{border:1px solid var(--line);border-radius:10px;padding:.8rem;background:var(--card)}
.card img{display:block;width:144px;max-width:100%;height:auto;border-radius:6px;margin-bottom:.5rem}
.card p{margin:.25rem 0;font-size:.93rem}
.card ul{list-style:none;margin:.5rem 0 0;padding:.4rem 0 0;border-top:1px solid var(--line);font-size:.88rem}
.card li{display:flex;justify-content:space-between;gap:.6rem}
.yes{color:var(--good);font-weight:600} .no{color:var(--bad);font-weight:600}
dl{display:grid;grid-template-columns:1fr;gap:.1rem} dt{font-weight:700;margin-top:.6rem} dd{margin:0;max-width:46rem}
details{border:1px solid var(--line);border-radius:8px;padding:.5rem .8rem;margin:.5rem 0}
summary{cursor:pointer;font-weight:600}
footer{margin-top:3rem;border-top:1px solid var(--line);padding-top:.8rem;color:var(--soft);font-size:.85rem}
code{font:0.9em ui-monospace,Consolas,monospace;overflow-wrap:anywhere}
"""
    + PLOTS
)


def standalone(svg: str) -> str:
    """A plot as a file of its own, for a paper or a README: with its colours, light and dark, and a ground."""
    head, _, body = svg.partition(">")
    return f"{head}><style>{VARIABLES}svg{{background:var(--bg)}}{PLOTS}</style>{body}\n"
