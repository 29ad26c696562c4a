// What package.json's "styleModule" names: JupyterLab's bundler takes the styles from here.
import './index.css';
