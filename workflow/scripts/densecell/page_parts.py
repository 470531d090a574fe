"""What the page that turns is made of beside plotly: its frame, its style, and the script of its switches."""

TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>$title</title><style>$style</style></head>
<body>
<header><h1>$title</h1><p>Drag to turn, right drag to move, wheel to zoom. Click an object to find its switch.</p></header>
<main><nav id="switches"></nav><div id="scene"></div></main>
<footer>$notes</footer>
<script>$plotly</script>
<script>const figure = $figure; const page = $data;</script>
<script>$script</script>
</body></html>
"""

STYLE = """
html, body { height: 100%; margin: 0; font: 14px/1.4 sans-serif; color: #222; background: white; }
body { display: flex; flex-direction: column; }
header { padding: 6px 14px 0; } h1 { font-size: 18px; margin: 0; } header p, footer { margin: 2px 0; color: #666; font-size: 12px; }
footer { padding: 4px 14px 8px; }
main { flex: 1; display: flex; min-height: 320px; }
nav { width: 270px; overflow-y: auto; padding: 8px 14px; border-right: 1px solid #ddd; box-sizing: border-box; }
#scene { flex: 1; min-width: 0; position: relative; }
#scene .missing { padding: 40px; max-width: 500px; color: #a00; }
fieldset { border: 0; border-top: 1px solid #ddd; margin: 0; padding: 6px 0; }
label { display: flex; align-items: center; gap: 6px; cursor: pointer; }
.patch { width: 13px; height: 13px; border: 1px solid #888; border-radius: 2px; flex: none; }
.name { flex: 1; } .volume { color: #777; font-size: 12px; }
summary { cursor: pointer; color: #555; font-size: 12px; }
details label { font-size: 13px; padding-left: 14px; } .found { background: #ffef9f; }
input[type=range] { width: 100%; margin: 2px 0; }
"""

SCRIPT = r"""
const scene = document.getElementById('scene'), nav = document.getElementById('switches');
const members = key => page.objects.filter(o => o.group === key);
const element = (tag, attributes, ...children) => {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children); return made;
};
const patch = color => { const p = element('span', {className: 'patch'}); p.style.background = color; return p; };
const restyle = (change, objects) => drawn && objects.length && Plotly.restyle(scene, change, objects.map(o => o.trace));
let drawn = false;

function show(objects, on) {
  for (const o of objects) { o.shown = on; o.box.checked = on; }
  for (const g of page.groups) {
    const all = members(g.key), n = all.filter(o => o.shown).length;
    g.box.checked = n > 0; g.box.indeterminate = n > 0 && n < all.length;
    g.count.textContent = n === all.length ? `${n}` : `${n} of ${all.length}`;
  }
  return restyle({visible: on}, objects);
}

function paint(by) {
  for (const g of page.groups) {
    const all = members(g.key), colors = all.map(o => by === 'object' ? o.color : g.color);
    all.forEach((o, i) => { o.patch.style.background = colors[i]; });
    if (all.length) restyle({color: colors}, all);
  }
}

function switches(g) {
  const all = members(g.key);
  g.box = element('input', {type: 'checkbox', checked: true, onchange: () => show(all, g.box.checked)});
  g.box.dataset.group = g.key;
  g.count = element('span', {className: 'volume', textContent: `${all.length}`});
  const opacity = element('input', {type: 'range', min: 0.05, max: 1, step: 0.05, value: g.opacity, title: 'opacity'});
  opacity.onchange = () => restyle({opacity: Number(opacity.value)}, all);
  const rows = all.map(o => {
    o.shown = true;
    o.box = element('input', {type: 'checkbox', checked: true, onchange: () => show([o], o.box.checked)});
    o.box.dataset.object = `${g.key}/${o.name}`;
    o.patch = patch(g.color);
    const size = o.volume === null ? '' : `${Number(o.volume.toPrecision(4))} µm³`;
    return o.row = element('label', {}, o.box, o.patch, element('span', {className: 'name', textContent: o.name}),
      element('span', {className: 'volume', textContent: size}));
  });
  const list = element('details', {}, element('summary', {textContent: 'single objects'}), ...rows);
  const head = element('label', {}, g.box, patch(g.color), element('b', {className: 'name', textContent: g.name}), g.count);
  nav.append(element('fieldset', {}, head, opacity, ...(all.length ? [list] : [])));
}

function find(trace) {
  const o = page.objects.find(other => other.trace === trace);
  if (!o) return;
  document.querySelectorAll('.found').forEach(row => row.classList.remove('found'));
  o.row.parentElement.open = true; o.row.classList.add('found'); o.row.scrollIntoView({block: 'center'});
}

const by = element('select', {onchange: () => paint(by.value)},
  element('option', {value: 'class', textContent: 'color by class'}),
  element('option', {value: 'object', textContent: 'color by object'}));
by.id = 'colors';
nav.append(by);
page.groups.forEach(switches);
const context = document.createElement('canvas');
if (context.getContext('webgl2') || context.getContext('webgl')) {
  const settings = {responsive: true, displaylogo: false, scrollZoom: true,
    modeBarButtonsToRemove: ['tableRotation', 'hoverClosest3d']};
  Plotly.newPlot(scene, figure.data, figure.layout, settings).then(() => {
    drawn = true; scene.on('plotly_click', event => find(event.points[0].curveNumber)); document.body.dataset.drawn = 'yes';
  });
} else {
  scene.append(element('p', {className: 'missing', textContent: 'This browser can not draw in 3D: WebGL is switched off. ' +
    'The same surfaces lie in the folder meshes, for other viewers.'}));
  document.body.dataset.drawn = 'no';
}
"""
