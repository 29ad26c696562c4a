// Named by "styleModule" in package.json: JupyterLab's bundler loads the styles through this module.
import './index.css';
