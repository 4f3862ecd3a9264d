import type { Logger } from '../logger.ts';
export async function checkWal(_dir: string, _log: Logger): Promise<void> {}
