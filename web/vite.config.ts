import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** Where `npm run dev:web` finds an API: the one that `npm start` runs. */
const API = 'http://localhost:3000';

export default defineConfig({
  root: import.meta.dirname,
  // The API serves the files under this path, from memory.
  base: '/web/',
  plugins: [react()],
  // Replaced by a fresh value in every answer: the component library adds its own style elements.
  html: { cspNonce: 'TRADEGUARD-CSP-NONCE' },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    assetsDir: '',
    // Nothing is inlined: the content security policy lets scripts and fonts come from files alone.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
    // The size of what the first view loads is held by a test.
    chunkSizeWarningLimit: 800,
  },
  server: { proxy: { '/api': API, '/readme': API } },
});
