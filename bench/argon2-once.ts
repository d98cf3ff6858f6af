import { registerHooks } from 'node:module';

/**
 * Preloaded into the processes of the instance that is measured (NODE_OPTIONS=--import): there `@node-rs/argon2` is
 * bench/argon2-memory.ts. Nothing of the product changes; the login takes every step it takes anywhere.
 */
registerHooks({
  resolve(specifier, context, next) {
    const ours = context.parentURL?.endsWith('/security/passwords.ts') === true;
    if (specifier !== '@node-rs/argon2' || !ours) return next(specifier, context);
    return { url: new URL('./argon2-memory.ts', import.meta.url).href, shortCircuit: true };
  },
});
