/** `npm start`: set up what is missing and open JupyterLab on the quickstart notebook. */
import { spawn } from 'node:child_process';
import { environment, main, python, root, say, setup, SetupError } from './setup.mjs';

const usage = `npm start [-- options]
  --no-browser   do not open a browser
  --port N       listen on this port (8888, or the next that is free)
Any other option goes to JupyterLab.`;

await main(async args => {
  if (args.includes('--help') || args.includes('-h')) {
    console.log(usage);
    return;
  }
  const port = args.indexOf('--port');
  if (port >= 0 && !/^\d{1,5}$/.test(args[port + 1] ?? '')) {
    throw new SetupError(`--port needs a number, got ${args[port + 1] ?? 'nothing'}.`);
  }
  await setup();
  // Jupyter's command line accepts only the form --port=N, and runs as root only with --allow-root.
  const options = args.flatMap((arg, i) =>
    arg === '--port' ? [`--port=${args[i + 1]}`] : args[i - 1] === '--port' ? [] : [arg]
  );
  if (process.getuid?.() === 0) {
    options.push('--allow-root');
  }
  say('starting JupyterLab; stop it with Ctrl-C');
  const lab = spawn(
    python,
    [
      '-m',
      'jupyterlab',
      '--ServerApp.root_dir=.',
      '--LabApp.default_url=/lab/tree/examples/quickstart.ipynb',
      ...options
    ],
    { cwd: root, env: environment(), stdio: 'inherit' }
  );
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => lab.kill(signal));
  }
  process.exitCode = await new Promise(resolve => lab.on('close', code => resolve(code ?? 0)));
});
