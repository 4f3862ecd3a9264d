/**
 * FileName: what becomes of the name that an upload claims, and how it is given back.
 *
 * Guarantees: one line of visible characters, at most 160 bytes, no part of a path, no name that Windows keeps for itself, nothing that
 * turns the direction of text (a name such as `cod\u202egpj.exe` would read as `codexe.jpg`). Never empty, and never used as a path here.
 */

const nameBytesMax = 160;
const extensionCharsMax = 16;
/** Control, format (bidi marks, zero width), unassigned and private characters, lone surrogates, line and paragraph separators. */
const invisible = /[\p{C}\p{Zl}\p{Zp}]/gu;
const reserved = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;
const unnamed = 'file';

export function cleanFileName(claimed: string | undefined): string {
  // Cut first, so that the cost of the other rules is bounded.
  const base =
    unquoted((claimed ?? '').slice(-4 * nameBytesMax))
      .split(/[/\\]/)
      .at(-1) ?? '';
  const visible = base
    .normalize('NFC')
    .replace(invisible, '')
    .replace(/[<>:"|?*]/g, '_')
    .replace(/\s/gu, ' ');
  const name = cut(trimmed(visible));
  if (name === '') return unnamed;
  return reserved.test(name) ? `_${name}` : name;
}

/** Browsers write a quotation mark so (HTML, multipart/form-data). */
const unquoted = (claimed: string): string => claimed.replaceAll('%22', '"');

/** Dots in front hide a file, blanks and dots at the end vanish on Windows. */
function trimmed(name: string): string {
  let from = 0;
  let to = name.length;
  while (from < to && (name[from] === '.' || name[from] === ' ')) from += 1;
  while (to > from && (name[to - 1] === '.' || name[to - 1] === ' ')) to -= 1;
  return name.slice(from, to);
}

/** Keeps the end that says what it is. */
function cut(name: string): string {
  if (Buffer.byteLength(name) <= nameBytesMax) return name;
  const dot = name.lastIndexOf('.');
  const extension = dot > 0 && name.length - dot <= extensionCharsMax ? name.slice(dot) : '';
  let stem = '';
  let bytes = Buffer.byteLength(extension);
  for (const character of extension === '' ? name : name.slice(0, dot)) {
    bytes += Buffer.byteLength(character);
    if (bytes > nameBytesMax) break;
    stem += character;
  }
  return trimmed(stem) + extension;
}

/** The header that has a browser save the file under this name (RFC 6266, RFC 8187), whatever it is. */
export function contentDisposition(name: string): string {
  const ascii = name.replace(/[^\x20-\x7e]/g, '_').replace(/["\\%]/g, '_');
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
