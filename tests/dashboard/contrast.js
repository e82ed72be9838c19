// The texts that are seen and whose contrast is below what WCAG AA asks for: [ratio, text, element].
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

function rgba(colour) {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
}

const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];

function ground(element) {
  const own = rgba(getComputedStyle(element).backgroundColor);
  if (own[3] === 1) return own;
  return over(own, element.parentElement ? ground(element.parentElement) : [255, 255, 255, 1]);
}

function luminance([r, g, b]) {
  const part = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
}

function ratio(element) {
  const behind = ground(element);
  const [a, b] = [luminance(over(rgba(getComputedStyle(element).color), behind)), luminance(behind)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

const speaks = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
const seen = [...document.body.querySelectorAll("*")].filter(
  (e) => speaks(e) && e.checkVisibility() && !e.closest("svg, option, .leaving"),
);
return seen
  .map((e) => [ratio(e), e.textContent.slice(0, 40), e.outerHTML.slice(0, 80)])
  .filter(([value]) => value < 4.5);
