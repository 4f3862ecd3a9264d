/**
 * Chat screen: the terminal. Lines come in above; the line being typed stays whole at the bottom.
 *
 * On a terminal: a prompt, colours (unless NO_COLOR), who is typing. Piped: plain lines out, plain lines in.
 * Does not: know rooms or messages; clean what it is given.
 */
import { clearScreenDown, createInterface, cursorTo, moveCursor } from 'node:readline';

export interface Screen {
  readonly isTerminal: boolean;
  print(lines: readonly string[]): void;
  /** Shown before the prompt; empty: nothing. Terminal only. */
  setNote(note: string): void;
  close(): void;
}

export interface ScreenHandlers {
  onLine(line: string): void;
  /** The person changed the line being typed. */
  onTyping(line: string): void;
  /** Ctrl-C, Ctrl-D, or the end of what was piped in. */
  onEnd(reason: 'interrupted' | 'end'): void;
}

export function openScreen(prompt: string, handlers: ScreenHandlers): Screen {
  const { stdin, stdout } = process;
  const isTerminal = stdin.isTTY === true && stdout.isTTY === true;
  const reader = createInterface({ input: stdin, output: isTerminal ? stdout : undefined, terminal: isTerminal, prompt });
  // A reader of ours that went away (`| head`) is no reason to crash.
  stdout.on('error', () => handlers.onEnd('interrupted'));
  let isClosed = false;
  reader.on('close', () => {
    if (!isClosed) handlers.onEnd('end');
  });
  if (!isTerminal) {
    reader.on('line', (line) => handlers.onLine(line));
    return {
      isTerminal,
      print: (lines) => stdout.write(lines.map((line) => `${line}\n`).join('')),
      setNote: () => {},
      close: () => {
        isClosed = true;
        reader.close();
      },
    };
  }

  /** Removes the line being typed, which may be wrapped over several rows. */
  const erase = (): void => {
    const { rows } = reader.getCursorPos();
    moveCursor(stdout, 0, -rows);
    cursorTo(stdout, 0);
    clearScreenDown(stdout);
  };
  reader.on('SIGINT', () => handlers.onEnd('interrupted'));
  reader.on('line', (line) => {
    // What was typed comes back as an entry with its number: take the typed copy away.
    const width = stdout.columns || 80;
    moveCursor(stdout, 0, -Math.max(1, Math.ceil((reader.getPrompt().length + line.length) / width)));
    cursorTo(stdout, 0);
    clearScreenDown(stdout);
    handlers.onLine(line);
    if (!isClosed) reader.prompt();
  });
  stdin.on('keypress', () => queueMicrotask(() => handlers.onTyping(reader.line)));
  reader.prompt();
  return {
    isTerminal,
    print: (lines) => {
      if (lines.length === 0) return;
      erase();
      stdout.write(lines.map((line) => `${line}\n`).join(''));
      if (!isClosed) reader.prompt(true);
    },
    setNote: (note) => {
      const next = note === '' ? prompt : `${note} ${prompt}`;
      if (isClosed || next === reader.getPrompt()) return;
      erase();
      reader.setPrompt(next);
      reader.prompt(true);
    },
    close: () => {
      isClosed = true;
      erase();
      reader.close();
    },
  };
}
